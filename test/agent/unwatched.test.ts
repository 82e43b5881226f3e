import { mkdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAgent } from '../../src/agent/agent.js'
import type { Agent } from '../../src/agent/agent-types.js'
import { answerTo } from '../../src/agent/control-answers.js'
import { parsePreferences } from '../../src/config/parse-preferences.js'
import { type AbsPath, absPath, type RelPath, relPath } from '../../src/core/path.js'
import type { Watcher } from '../../src/host/watcher.js'
import { LocalRootFixture } from '../replica/local-root.js'

let root: LocalRootFixture
let agent: Agent | undefined
let ended: Promise<unknown> = Promise.resolve()
/** What each watcher tells of its root: the subtrees that it cannot watch. */
let tell: Map<AbsPath, (unwatched: readonly RelPath[]) => void>

beforeEach(() => {
  root = new LocalRootFixture()
  tell = new Map()
})
afterEach(async () => {
  agent?.stop('now')
  await Promise.all([ended, agent?.close()])
  await root.dispose()
})

const watcher: Watcher = {
  watch: async (path, on) => {
    tell.set(path, (unwatched) => on({ dirty: [], lost: false, gone: false, unwatched }))
    return { fullScanSeconds: undefined, drain: async () => {}, close: async () => {} }
  },
  close: async () => {},
}

/** An agent that keeps the root and its `copy` equal, and serves the root. */
async function keeping(): Promise<Agent> {
  const copy = absPath(`${root.home}/copy`)
  mkdirSync(copy)
  root.write('f', 'x')
  const local = (path: AbsPath) => ({ kind: 'local', path }) as const
  const named = (path: AbsPath) => ({ given: path, spec: local(path) })
  const preferences = parsePreferences([], named(root.root), named(copy))
  const repeat = { kind: 'watch', fullScanSeconds: 3_600 } as const
  const pair = {
    name: 'p',
    alpha: local(root.root),
    beta: local(copy),
    preferences: { ...preferences, batch: true, repeat },
    ignoreArchives: false,
  }
  const { keep, minFree, maxDelete } = preferences
  const opened = await openAgent(
    {
      pairs: [pair],
      serves: [{ name: 'r', path: root.root, keep, minFree, maxDelete }],
      listen: [],
      peers: [],
      stateDir: absPath(`${root.home}/state`),
    },
    { ...root.host, watcher },
    (event) => root.events.push(event),
    { resident: true },
  )
  agent = opened
  ended = opened.run()
  await root.until(() => tell.size === 2, 'both watchers')
  return opened
}

async function status(of: Agent): Promise<unknown> {
  return answerTo(
    'GET',
    '/v1/status',
    '',
    { agent: of, command: 'run', emit: () => {}, stateDir: '' },
    new AbortController().signal,
  )
}

test('status tells what cannot be watched of each root, with the line that helps, as long as it is so', async () => {
  const at = await keeping()
  expect(await status(at)).toMatchObject({ pairs: [{ unwatched: [] }], served: [{ name: 'r', unwatched: [] }] })
  const paths = Array.from({ length: 12 }, (_, count) => relPath(`d${count}`))
  tell.get(root.root)?.(paths)
  const told = {
    root: root.root,
    subtrees: 12,
    paths: paths.slice(0, 10),
    detail: expect.stringMatching(/limit of watches.*sudo sysctl -w fs\.inotify\.max_user_watches=/),
  }
  expect(await status(at)).toMatchObject({ pairs: [{ unwatched: [told] }], served: [{ unwatched: [told] }] })
  // Somebody made room: the kernel is asked again and again.
  tell.get(root.root)?.([])
  expect(await status(at)).toMatchObject({ pairs: [{ unwatched: [] }], served: [{ unwatched: [] }] })
})

test('of a root that is not open nothing is told any more', async () => {
  const at = await keeping()
  tell.get(root.root)?.([relPath('d')])
  expect(await status(at)).toMatchObject({ pairs: [{ unwatched: [{ subtrees: 1 }] }] })
  await at.close()
  expect(await status(at)).toMatchObject({ pairs: [{ unwatched: [] }], served: [{ unwatched: [] }] })
})
