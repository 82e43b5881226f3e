import { mkdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openAgent } from '../../src/agent/agent.js'
import type { Agent } from '../../src/agent/agent-types.js'
import type { Config } from '../../src/config/config.js'
import { parsePreferences } from '../../src/config/parse-preferences.js'
import { type AbsPath, absPath } from '../../src/core/path.js'
import type { Watcher } from '../../src/host/watcher.js'
import { ReplicaFailure } from '../../src/replica/replica.js'
import { LocalRoot } from '../../src/replica/root.js'
import { LocalRootFixture } from '../replica/local-root.js'

let root: LocalRootFixture
let agent: Agent | undefined
let ended: Promise<unknown> = Promise.resolve()
beforeEach(() => {
  root = new LocalRootFixture()
})
afterEach(async () => {
  vi.restoreAllMocks()
  agent?.stop('now')
  await Promise.all([ended, agent?.close()])
  await root.dispose()
})

const watcher: Watcher = {
  watch: async () => ({ fullScanSeconds: undefined, drain: async () => {}, close: async () => {} }),
  close: async () => {},
}

test('a root that hangs and is wanted no more does not keep what is new in the configuration from starting', async () => {
  const [hung, fresh] = ['hung', 'fresh'].map((name) => absPath(`${root.home}/${name}`)) as [AbsPath, AbsPath]
  mkdirSync(hung)
  mkdirSync(fresh)
  root.write('f', 'x')
  const local = (path: AbsPath) => ({ kind: 'local', path }) as const
  const configOf = (name: string, beta: AbsPath): Config => {
    const named = (path: AbsPath) => ({ given: path, spec: local(path) })
    const preferences = parsePreferences([], named(root.root), named(beta))
    const repeat = { kind: 'watch', fullScanSeconds: 3_600 } as const
    return {
      pairs: [
        {
          name,
          alpha: local(root.root),
          beta: local(beta),
          preferences: { ...preferences, batch: true, repeat },
          ignoreArchives: false,
        },
      ],
      serves: [],
      listen: [],
      peers: [],
      stateDir: absPath(`${root.home}/state`),
    }
  }
  agent = await openAgent(configOf('old', hung), { ...root.host, watcher }, (event) => root.events.push(event), {
    resident: true,
  })
  ended = agent.run()
  await root.until(() => root.events.some(({ event }) => event === 'pair-current'), 'current')
  // Its file system stops answering: what closes a root says so, as it is written at LocalRoot.close.
  const close = LocalRoot.prototype.close
  vi.spyOn(LocalRoot.prototype, 'close').mockImplementation(function (this: LocalRoot) {
    if (this.path === hung)
      return Promise.reject(new ReplicaFailure('not-answering', hung, 'its file system does not answer'))
    return close.call(this)
  })
  const reread = await agent.reread(configOf('new', fresh)).catch((error: unknown) => error)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  console.log(
    String(reread),
    agent.pairs.map((pair) => [pair.name, pair.state()]),
  )
  expect(reread).toMatchObject({ started: ['new'], stopped: ['old'] })
  await root.until(() => root.events.filter(({ event }) => event === 'pair-current').length === 2, 'the new pair')
})
