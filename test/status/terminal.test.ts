import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import type { AgentEvent } from '../../src/status/event.js'
import { lineOf } from '../../src/status/terminal.js'

const pair = 'p'
const rows: [string, AgentEvent, string | RegExp | undefined][] = [
  [
    'a file that arrived on the right',
    { event: 'path-applied', pair, path: relPath('d/h'), to: 'beta', what: 'created', bytes: 2048 },
    ' ---> created    d/h (2.0 KiB)',
  ],
  [
    'a removal on the left',
    { event: 'path-applied', pair, path: relPath('a'), to: 'alpha', what: 'removed', bytes: 0 },
    ' <--- removed    a',
  ],
  [
    'a name that would ring the bell',
    { event: 'path-applied', pair, path: relPath('a\x07'), to: 'alpha', what: 'properties', bytes: 0 },
    ' <--- properties a\\x07',
  ],
  [
    'a conflict',
    { event: 'conflict-found', pair, path: relPath('d/h'), detail: 'changed on both sides' },
    '<-?-> conflict   d/h: changed on both sides',
  ],
  [
    'a conflict with what both sides hold',
    {
      event: 'conflict-found',
      pair,
      path: relPath('h'),
      detail: 'changed <-?-> deleted',
      alphaVersion: { change: 'changed', kind: 'file', sizeBytes: 12, mtimeNs: '1700000000000000001' },
      betaVersion: { change: 'deleted', kind: 'absent' },
    },
    /^<-\?-> conflict {3}h: alpha changed \(12 bytes, 2023-11-1[45] \d\d:\d\d:20\), beta deleted$/,
  ],
  [
    'a conflict that a preference makes',
    {
      event: 'conflict-found',
      pair,
      path: relPath('h'),
      detail: 'nodeletion forbids it\x1b',
      alphaVersion: { change: '', kind: 'directory' },
      betaVersion: { change: 'deleted', kind: 'absent' },
    },
    '<-?-> conflict   h: alpha unchanged, beta deleted; nodeletion forbids it\\x1b',
  ],
  [
    'hard links',
    { event: 'hard-links-found', root: '/a\n', path: relPath('x\u202e') },
    'note: files in /a\\n have several names (hard links), x\\u202e for one: each name is kept equal as a file of its own',
  ],
  [
    'what could not be taken over',
    { event: 'not-taken-over', root: '/a\n', path: relPath('x'), detail: 'owner 7 (EPERM)' },
    'note: x in /a\\n is written, without owner 7 (EPERM) of what it replaces or of its directory',
  ],
  ['how far a transfer is', { event: 'transfer-progressed', pair, to: 'beta', bytes: 5 }, undefined],
  [
    'a problem',
    { event: 'problem-found', pair, path: relPath('x'), side: 'beta', code: 'denied', detail: 'open x: EACCES' },
    'error denied     x on beta: open x: EACCES',
  ],
  [
    'a link that is gone',
    { event: 'link-lost', peer: 'wss://nas:1/a', code: 'refused', detail: 'connection refused', retryInMs: 400 },
    'no connection to wss://nas:1/a: connection refused (refused); next attempt in 400 ms',
  ],
  [
    'a cycle',
    { event: 'cycle-committed', pair, cycle: 3, applied: 2, conflicts: 1, problems: 0, bytes: 10, durationMs: 5 },
    '      done       2 changed, 1 in conflict; 10 bytes in 5 ms',
  ],
  [
    'a cycle in which nothing happened',
    { event: 'cycle-committed', pair, cycle: 3, applied: 0, conflicts: 0, problems: 0, bytes: 0, durationMs: 5 },
    undefined,
  ],
  ['the beginning of a scan', { event: 'scan-started', root: '/a' }, undefined],
  [
    'the root itself',
    { event: 'problem-found', pair, path: relPath(''), side: 'alpha', code: 'io', detail: 'x' },
    'error io         (the root) on alpha: x',
  ],
  [
    'a peer with an odd name',
    { event: 'peer-refused', remote: '1.2.3.4:5', code: 'unknown-peer', detail: 'no peer "\x1b[2J"' },
    'refused a connection from 1.2.3.4:5: no peer "\\x1b[2J" (unknown-peer)',
  ],
]
test.each(rows)('on a terminal: %s', (_, event, line) => {
  if (line instanceof RegExp) expect(lineOf(event)).toMatch(line)
  else expect(lineOf(event)).toBe(line)
})
