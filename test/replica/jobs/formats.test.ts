import { expect, test } from 'vitest'
import { conflictName } from '../../../src/core/conflict-name.js'
import type { Content, Fingerprint } from '../../../src/core/content.js'
import { encodeName, relPath } from '../../../src/core/path.js'
import { type FileCode, FileFailure, type Stat } from '../../../src/host/files.js'
import { contentOf, type Form } from '../../../src/replica/jobs/form.js'
import {
  chmodLine,
  completeLine,
  headerLine,
  intentOfSlot,
  oldSlotName,
  outcomeLine,
  parseIntent,
  restoredLine,
  type Step,
  slotName,
  stepLine,
} from '../../../src/replica/jobs/intent.js'
import { problemOf } from '../../../src/replica/jobs/problem.js'
import { isRacy, isStagedRacy } from '../../../src/replica/jobs/stamp.js'

const fingerprint = `sha256:${'0'.repeat(64)}` as Fingerprint

/** Format 2 as it stands on disks: a line that changes here needs a new version. */
const pinned = [
  '{"version":2,"pair":"p","batch":3,"supplier":"s","boot":"b","folder":"f","anchor":"","beganNs":"1700000000000000000"}',
  '["step",{"op":"write","path":"d/\\udcff","staged":"x.0","expect":{"kind":"absent"},"goal":{"kind":"file","inode":"18446744073709551615","sizeBytes":3,"mtimeNs":"-5","mode":420,"fingerprint":"' +
    `${fingerprint}"},"racy":false}]`,
  '["step",{"op":"remove","path":"l","staged":"","expect":{"kind":"symlink","inode":"7","target":"t"},"goal":{"kind":"absent"},"racy":true}]',
  '["chmod","d",365,493]',
  '["chmod","e",320,448]',
  '["restored","d"]',
  '["outcome",0,{"kind":"done","path":"d/\\udcff","content":{"kind":"file","fingerprint":"' +
    `${fingerprint}","sizeBytes":3,"props":{"mode":420,"mtimeNs":"-5"}}}]`,
  '["outcome",1,{"kind":"done","path":"l","content":{"kind":"absent"}}]',
  '["outcome",1,null]',
  '["outcome",0]',
  '["complete"]',
  '',
].join('\n')

const path = relPath('d/\udcff')
const content = { kind: 'file', fingerprint, sizeBytes: 3, props: { mode: 420, mtimeNs: -5n } } as const
const header = { pair: 'p', batch: 3, supplier: 's', boot: 'b', folder: 'f', anchor: relPath('') }
const steps = [
  {
    op: 'write',
    path,
    staged: 'x.0',
    expect: { kind: 'absent' },
    goal: { kind: 'file', inode: 2n ** 64n - 1n, sizeBytes: 3, mtimeNs: -5n, mode: 420, fingerprint },
    racy: false,
  },
  {
    op: 'remove',
    path: relPath('l'),
    staged: '',
    expect: { kind: 'symlink', inode: 7n, target: 't' },
    goal: { kind: 'absent' },
    racy: true,
  },
] as const

test('an intent, pinned: written', () => {
  const lines = [
    headerLine({ ...header, beganNs: 1_700_000_000_000_000_000n }),
    ...steps.map(stepLine),
    chmodLine({ path: relPath('d'), mode: 0o555, temporary: 0o755 }),
    chmodLine({ path: relPath('e'), mode: 0o500, temporary: 0o700 }),
    restoredLine(relPath('d')),
    outcomeLine(0, { kind: 'done', path, content }),
    outcomeLine(1, { kind: 'done', path: relPath('l'), content: { kind: 'absent' } }),
    outcomeLine(1, undefined),
    outcomeLine(0, { kind: 'done', path, content }, steps[0].goal),
    completeLine(),
  ]
  expect(lines.join('')).toBe(pinned)
})

test('an intent of version 1 is read, in which every outcome was written out', () => {
  const before = pinned.replace('"version":2', '"version":1').replace('["outcome",0]\n', '')
  expect(parseIntent(before)).toEqual(parseIntent(pinned))
})

const others: [what: string, content: Content][] = [
  ['of another size', { ...content, sizeBytes: 4 }],
  ['of another mode', { ...content, props: { ...content.props, mode: 0o600 } }],
  ['of another time', { ...content, props: { ...content.props, mtimeNs: -4n } }],
  ['of other bytes', { ...content, fingerprint: undefined }],
  ['a directory', { kind: 'directory', props: content.props }],
]

test.each(others)('an outcome that is not the goal is written out: %s', (_, other) => {
  const outcome = { kind: 'done', path, content: other } as const
  const line = outcomeLine(0, outcome, steps[0].goal)
  expect(line).toBe(outcomeLine(0, outcome))
  const intent = parseIntent(headerLine({ ...header, beganNs: 1n }) + stepLine(steps[0]) + line)
  expect(intent?.outcomes).toEqual(new Map([[0, outcome]]))
})

test('an intent, pinned: read', () => {
  expect(parseIntent(pinned)).toEqual({
    header: { ...header, beganNs: 1_700_000_000_000_000_000n },
    steps,
    outcomes: new Map([[0, { kind: 'done', path, content }]]),
    chmods: [{ path: 'e', mode: 0o500, temporary: 0o700 }],
    complete: true,
  })
})

const forms: [what: string, form: Form][] = [
  ['nothing', { kind: 'absent' }],
  ['a directory', { kind: 'directory', mode: 0o2755, mtimeNs: -1n }],
  ['a link with quotes, a line break and a byte alone', { kind: 'symlink', inode: 1n, target: '"\\\n\udcff' }],
  [
    'a file that was never read',
    { kind: 'file', inode: 1n, sizeBytes: 0, mtimeNs: 0n, mode: 0o600, fingerprint: undefined },
  ],
  ['a file', { kind: 'file', inode: 1n, sizeBytes: 2 ** 52, mtimeNs: 5n, mode: 0o644, fingerprint }],
]

test.each(forms)('an intent tells of %s what was told to it, as JSON.stringify would', (_, form) => {
  const odd = relPath('d/"\\\n\u2028\udcff')
  const step: Step = { op: 'write', path: odd, staged: 'x"0', expect: form, goal: form, racy: true }
  const outcome = { kind: 'done', path: odd, content: contentOf(form) } as const
  const lines = [stepLine(step), outcomeLine(0, outcome)]
  const told = JSON.stringify(
    [
      ['step', step],
      ['outcome', 0, outcome],
    ],
    (_key, value) => (typeof value === 'bigint' ? `${value}` : value),
  )
  expect(`[${lines.map((line) => line.trimEnd()).join(',')}]`).toBe(told)
  const intent = parseIntent(headerLine({ ...header, beganNs: 1n }) + lines.join(''))
  expect(intent?.steps).toEqual([step])
  expect(intent?.outcomes).toEqual(new Map([[0, outcome]]))
})

test('properties that are unknown are left out of an outcome', () => {
  const content = { kind: 'directory', props: { mode: undefined, mtimeNs: undefined } } as const
  const told = outcomeLine(3, { kind: 'done', path: relPath('d'), content })
  expect(told).toBe('["outcome",3,{"kind":"done","path":"d","content":{"kind":"directory","props":{}}}]\n')
})

test('an intent that was cut off anywhere is read as far as its lines are whole, or not at all', () => {
  for (let length = 0; length < pinned.length; length++) {
    const intent = parseIntent(pinned.slice(0, length))
    expect(intent?.complete ?? false).toBe(false)
    const wholeLines = pinned.slice(0, length).split('\n').length - 1
    expect(intent?.steps.length ?? 0).toBe(Math.max(0, Math.min(2, wholeLines - 1)))
  }
  for (const damaged of [
    '',
    '\n',
    '{}\n',
    '{"version":3}\n',
    '{"version":0}\n',
    pinned.replace('["outcome",0]', '["outcome",2]'),
    pinned.replace('"remove"', '"destroy"'),
    pinned.replace('d/', '../'),
  ])
    expect(parseIntent(damaged)).toBeUndefined()
})

test('a slot names its intent', () => {
  expect(intentOfSlot(slotName('p-1-abc', 12))).toBe('p-1-abc')
  expect(intentOfSlot(oldSlotName('p-1-abc', 12))).toBe('p-1-abc')
})

const day = 1_700_000_000_000_000_000n // 2023-11-14
const names: [name: string, count: number, copy: string][] = [
  ['a.txt', 1, 'a (conflict_on_2023-11-14).txt'],
  ['a.txt', 2, 'a (conflict_on_2023-11-14 2).txt'],
  ['archive.tar.gz', 1, 'archive.tar (conflict_on_2023-11-14).gz'],
  ['Makefile', 1, 'Makefile (conflict_on_2023-11-14)'],
  ['.profile', 1, '.profile (conflict_on_2023-11-14)'],
  ['no.extension of any kind', 1, 'no.extension of any kind (conflict_on_2023-11-14)'],
]

test.each(names)('the copy of %s, number %i', (name, count, copy) => {
  expect(conflictName(name, day, count)).toBe(copy)
})

test('the copy of a name of 255 bytes has one of at most 255, cut between characters', () => {
  for (const name of ['\u00e9'.repeat(127), `${'x'.repeat(251)}.txt`, '\udcff'.repeat(255)]) {
    const copy = conflictName(name, day, 100)
    expect(encodeName(copy).length).toBeLessThanOrEqual(255)
    expect(copy).toContain('(conflict_on_2023-11-14 100)')
  }
})

const wall = 1_700_000_000_000_000_000n
const ms = 1_000_000n
const racy: [
  what: string,
  ctime: bigint,
  mtime: bigint,
  probe: 'free' | 'busy' | 'unknown',
  seen: boolean,
  staged: boolean,
][] = [
  ['old, nobody writes', wall - 1_001n * ms, 0n, 'free', false, false],
  ['whole seconds, a second ago', wall - 1_000n * ms, wall - 1_000n * ms, 'free', true, true],
  ['whole seconds, three seconds ago', wall - 3_000n * ms, wall - 3_000n * ms, 'free', false, false],
  ['changed 10 ms ago', wall - 10n * ms, wall - 10n * ms, 'free', true, true],
  ['only its ctime moved 10 ms ago', wall - 10n * ms, 0n, 'free', true, false],
  ['old, but a writer is there', 0n, 0n, 'busy', true, false],
  ['no leases, changed a second ago', wall - 1_000n * ms, 0n, 'unknown', true, false],
  ['no leases, changed three seconds ago', wall - 3_000n * ms, 0n, 'unknown', false, false],
  ['from the future', wall + 1_000n * ms, wall + 1_000n * ms, 'free', true, true],
]

test.each(racy)('S1-8: is a stamp racy: %s', (_, ctimeNs, mtimeNs, probe, seen, staged) => {
  const stat = { ctimeNs, mtimeNs } as Stat
  expect(isRacy(stat, wall, probe)).toBe(seen)
  expect(isStagedRacy(stat, wall)).toBe(staged)
})

test('every failure of a file call has a problem, and a vanished path is none of absence', () => {
  const codes: FileCode[] = [
    'absent',
    'denied',
    'disk-full',
    'read-only',
    'io',
    'loop',
    'busy',
    'name-too-long',
    'crosses',
  ]
  const problems = codes.map((code) => problemOf(new FileFailure(code, '/a', 'open', 'E')).code)
  expect(problems).toEqual(['changing', 'denied', 'disk-full', 'read-only', 'io', 'loop', 'busy', 'name', 'boundary'])
})
