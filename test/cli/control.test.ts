import { expect, test } from 'vitest'
import type { OpenAnswer, PairAnswer } from '../../src/agent/control-types.js'
import { conflictLines, exitCodeOfStatus, statusLines } from '../../src/cli/control.js'

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
  auditAgeMs: null,
  auditDifferences: 0,
  unwatched: [],
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

test('a conflict is told with what both sides hold, safe to show; the rest with its reason', () => {
  const day = 86_400_000_000_000n
  const conflict = { why: 'conflict', detail: 'changed <-?-> deleted' } as const
  const changed = { change: 'changed', kind: 'file', sizeBytes: 2_048, mtimeNs: `${365n * day}` } as const
  const deleted = { change: 'deleted', kind: 'absent' } as const
  const open: OpenAnswer[] = [
    { path: 'd/f', ...conflict, alpha: changed, beta: deleted },
    {
      path: 'forbidden',
      why: 'conflict',
      detail: 'nodeletion forbids it',
      alpha: deleted,
      beta: { ...changed, change: '' },
    },
    { path: 'not looked at yet', ...conflict, alpha: null, beta: null },
    { path: 'p\u001b[31m', why: 'problem', detail: 'alpha: denied: EACCES', alpha: null, beta: null },
  ]
  const lines = conflictLines([{ name: 'p', alpha: '/a', beta: 'wss://h:1/b', open }])
  expect(lines.map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'TIME'))).toEqual([
    'p  conflict    d/f',
    '    /a          : changed (2.0 KiB, TIME)',
    '    wss://h:1/b : deleted',
    'p  conflict    forbidden: nodeletion forbids it',
    '    /a          : deleted',
    '    wss://h:1/b : unchanged (2.0 KiB, TIME)',
    'p  conflict    not looked at yet: changed <-?-> deleted',
    'p  problem     p\\x1b[31m: alpha: denied: EACCES',
  ])
})

test('status has a line for each pair and served root, safe to show', () => {
  const addresses = ['127.0.0.1:4242', '[::1]:4242']
  const agent = {
    pid: 1,
    program: '0',
    command: 'run',
    uptimeMs: 5,
    config: null,
    listening: '127.0.0.1:4242',
    addresses,
    notListening: [{ address: 'nas\u001b[31m:1', code: 'unreachable', detail: 'not known' }],
  }
  const pairs: PairAnswer[] = [
    calm,
    { ...calm, name: 'long-name', state: 'syncing', conflicts: 1, problems: 2, scanAgeMs: null },
    { ...calm, name: 'q', state: 'halted', code: 'missing', detail: '/b\u001b[31m is away', scanAgeMs: 900 },
  ]
  const served = [
    { name: 'photos', path: '/p', peers: ['laptop', 'laptop', 'phone'], unwatched: [], code: null, detail: null },
    { name: 'music', path: '/m', peers: [], unwatched: [], code: null, detail: null },
    { name: 'all', path: '/', peers: [], unwatched: [], code: 'state-inside', detail: 'the state is in it' },
  ]
  expect(statusLines({ version: 1, agent, pairs, served })).toEqual([
    'p          watching      scanned 2 min 5 s ago',
    'long-name  syncing       1 conflict; 2 problems; not scanned yet',
    'q          halted        /b\\x1b[31m is away (missing); scanned 900 ms ago',
    'serving photos on 127.0.0.1:4242 and [::1]:4242, used by laptop, phone',
    'serving music on 127.0.0.1:4242 and [::1]:4242, used by nobody',
    'not serving all: the state is in it (state-inside)',
    'cannot listen on nas\\x1b[31m:1: not known (unreachable); it is tried again',
  ])
})

test('what cannot be watched has a line, once for each root, with the command that helps; it is no attention', () => {
  const part = { root: '/a\u001b[31m', subtrees: 3, paths: ['d', 'e\n'], detail: 'raise it with: sudo x' }
  const agent = {
    pid: 1,
    program: '0',
    command: 'run',
    uptimeMs: 5,
    config: null,
    listening: null,
    addresses: [],
    notListening: [],
  }
  const pairs = [{ ...calm, unwatched: [part] }]
  const served = [{ name: 'r', path: '/a', peers: [], unwatched: [part], code: null, detail: null }]
  const [, , line, ...more] = statusLines({ version: 1, agent, pairs, served })
  expect(line).toBe(
    '/a\\x1b[31m is looked at every few seconds instead of watched at d, e\\n and 1 more: raise it with: sudo x',
  )
  expect(more).toEqual([])
  expect(exitCodeOfStatus(pairs)).toBe(0)
})
