import { mkdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openAgent } from '../../src/agent/agent.js'
import type { Agent } from '../../src/agent/agent-types.js'
import type { Config } from '../../src/config/config.js'
import { parsePreferences } from '../../src/config/parse-preferences.js'
import { type AbsPath, absPath } from '../../src/core/path.js'
import { nodeClock } from '../../src/host/node/clock.js'
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

/** Nothing is ever reported. */
const watcher: Watcher = {
  watch: async () => ({ fullScanSeconds: undefined, drain: async () => {}, close: async () => {} }),
  close: async () => {},
}

const local = (path: AbsPath) => ({ kind: 'local', path }) as const

/** One pair of the fixture's root with another one. */
function configOf(name: string, beta: AbsPath): Config {
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

async function openWith(config: Config): Promise<Agent> {
  const options = { resident: true }
  return await openAgent(
    config,
    { ...root.host, clock: nodeClock(), watcher },
    (event) => root.events.push(event),
    options,
  )
}

function fresh(name: string): AbsPath {
  const path = absPath(`${root.home}/${name}`)
  mkdirSync(path)
  return path
}

test('a root that hangs and is wanted no more does not keep what is new in the configuration from starting', async () => {
  const hung = fresh('hung')
  root.write('f', 'x')
  agent = await openWith(configOf('old', hung))
  ended = agent.run()
  await root.until(() => root.events.some(({ event }) => event === 'pair-current'), 'current')
  // Its file system stops answering: what closes a root says so, as it is written at LocalRoot.close.
  const close = LocalRoot.prototype.close
  vi.spyOn(LocalRoot.prototype, 'close').mockImplementation(function (this: LocalRoot) {
    if (this.path === hung)
      return Promise.reject(new ReplicaFailure('not-answering', hung, 'its file system does not answer'))
    return close.call(this)
  })
  expect(await agent.reread(configOf('new', fresh('fresh')))).toMatchObject({ started: ['new'], stopped: ['old'] })
  await root.until(() => root.events.filter(({ event }) => event === 'pair-current').length === 2, 'the new pair')
})

test('a pair that is only just starting is asked to look at everything as one that is there', async () => {
  agent = await openWith(configOf('new', fresh('beta')))
  ended = agent.run()
  const [pair] = agent.pairs
  if (pair === undefined) throw new Error('it has no pair')
  expect(pair.state()).toMatchObject({ word: 'scanning' })
  await pair.rescan(new AbortController().signal)
  await root.until(() => root.events.some(({ event }) => event === 'pair-current'), 'current')
})
