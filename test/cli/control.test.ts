import { expect, test } from 'vitest'
import type { PairAnswer } from '../../src/agent/control-types.js'
import { exitCodeOfStatus, statusLines } from '../../src/cli/control.js'

const calm: PairAnswer = {
  name: 'p',
  alpha: '/a',
  beta: '/b',
  state: 'watching',
  code: null,
  detail: null,
  conflicts: 0,
  problems: 0,
  scanAgeMs: 125_000,
}

const codes: [string, Partial<PairAnswer>[], number][] = [
  // what the pairs are                          exit code
  ['no pairs', [], 0],
  ['in sync', [{}, {}], 0],
  ['one is syncing', [{}, { state: 'syncing' }], 1],
  ['one is scanning', [{ state: 'scanning' }, {}], 1],
  ['one is paused', [{ state: 'paused' }, { state: 'syncing' }], 3],
  ['a conflict', [{ conflicts: 1 }, { state: 'syncing' }], 2],
  ['a problem', [{ problems: 1 }], 2],
  ['one is halted, another paused', [{ state: 'halted' }, { state: 'paused' }], 2],
  ['no connection', [{ state: 'disconnected' }, {}], 2],
]
test.each(codes)('the exit code of status: %s', (_, parts, code) => {
  expect(exitCodeOfStatus(parts.map((part) => ({ ...calm, ...part })))).toBe(code)
})

test('status has a line for each pair and served root, safe to show', () => {
  const agent = { pid: 1, program: '0', command: 'run', uptimeMs: 5, listening: '127.0.0.1:4242' }
  const pairs: PairAnswer[] = [
    calm,
    { ...calm, name: 'long-name', state: 'syncing', conflicts: 1, problems: 2, scanAgeMs: null },
    { ...calm, name: 'q', state: 'halted', code: 'missing', detail: '/b\u001b[31m is away', scanAgeMs: 900 },
  ]
  const served = [
    { name: 'photos', path: '/p', peers: ['laptop', 'laptop', 'phone'] },
    { name: 'music', path: '/m', peers: [] },
  ]
  expect(statusLines({ version: 1, agent, pairs, served })).toEqual([
    'p          watching      scanned 2 min 5 s ago',
    'long-name  syncing       1 conflict; 2 problems; not scanned yet',
    'q          halted        /b\\x1b[31m is away (missing); scanned 900 ms ago',
    'serving photos on 127.0.0.1:4242, used by laptop, phone',
    'serving music on 127.0.0.1:4242, used by nobody',
  ])
})
