import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { absent, type Fingerprint } from '../../src/core/content.js'
import { BadPath, type RelPath, relPath } from '../../src/core/path.js'
import type { Cursor } from '../../src/replica/replica.js'
import { BytesWriter, Malformed } from '../../src/wire/bytes.js'
import { decode, encode, type Message, protocolVersion } from '../../src/wire/message.js'
import { patternsMax } from '../../src/wire/open.js'
import { countedMax } from '../../src/wire/text.js'
import { anyMessage } from './message.arbitrary.js'

test('decoding undoes encoding', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      expect(decode(encode(message))).toEqual(message)
    }),
    { numRuns: 2_000 },
  )
})

test('a frame that was damaged is Malformed or BadPath, or a message that encodes to the same', () => {
  fc.assert(
    fc.property(
      anyMessage,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      fc.option(fc.nat(), { nil: undefined }),
      (message, edits, cut) => {
        const frame = encode(message)
        for (const [at, byte] of edits) frame[at % frame.length] = byte
        const damaged = cut === undefined ? frame : frame.subarray(0, cut % (frame.length + 1))
        const read = attempt(damaged)
        if (read !== undefined) expect(decode(encode(read))).toEqual(read)
      },
    ),
    { numRuns: 20_000 },
  )
})

test('random bytes are Malformed or BadPath, whatever they begin with', () => {
  fc.assert(
    fc.property(fc.nat(30), fc.uint8Array({ maxLength: 300 }), (kind, rest) => {
      attempt(Uint8Array.from([kind, ...rest]))
    }),
    { numRuns: 20_000 },
  )
})

/** The message, or undefined where the frame is refused; any other error comes out. */
function attempt(frame: Uint8Array): Message | undefined {
  try {
    return decode(frame)
  } catch (error) {
    if (error instanceof Malformed || error instanceof BadPath) return undefined
    throw error
  }
}

test('a count that the frame cannot hold is refused before anything is made', () => {
  const to = new BytesWriter()
  to.u8(kindOf({ kind: 'acknowledge', id: 1, more: false, batches: [] }))
  to.u32(1)
  to.u8(0)
  to.u32(0xffff_ffff)
  expect(() => decode(to.finish())).toThrow(Malformed)
})

/** Past the checks of the types, as a hostile peer is. */
const bad = (text: string) => text as RelPath
const entry = (path: RelPath): Message => ({
  kind: 'reports',
  id: 1,
  last: true,
  reports: [{ kind: 'entry', path, found: absent }],
})
const member = (name: string): Message => ({
  kind: 'changed',
  id: 1,
  last: true,
  sequence: 1,
  current: true,
  reports: [{ kind: 'listing', path: relPath('d'), members: [{ name, found: absent }], more: false }],
})

describe('a path that a peer may not name', () => {
  const paths = [
    ['a way up', '../x'],
    ['a way up in the middle', 'a/../../x'],
    ['this directory', 'a/./b'],
    ['an empty name', 'a//b'],
    ['an absolute path', '/etc/passwd'],
    ['a NUL', 'a\0b'],
    ['a final slash', 'a/'],
    ['a name that is too long', 'x'.repeat(256)],
    ['the private folder', '.tandem'],
    ['something in the private folder', 'a/.tandem/stage/x'],
    ['the private folder in capitals', 'a/.TANDEM/marker'],
    ['the private folder in wide letters', '．ｔａｎｄｅｍ'],
    ['the private folder with an ignored code point', '.tan\u200cdem'],
    ['something in the private folder in mixed case', '.TaNdEm/x'],
  ] as const
  const places: [string, (path: RelPath) => Message][] = [
    ['an operation', (path) => apply({ op: 'remove', path, expect: absent })],
    ['a want', (path) => ({ kind: 'supply', id: 1, more: false, wants: [wantOf(path)] })],
    ['a file to go on with', (path) => ({ kind: 'resume', id: 1, batch: 1, files: [{ want: 1, path, sizeBytes: 9 }] })],
    ['a list', (path) => ({ kind: 'list', id: 1, more: false, paths: [path] })],
    ['an identify', (path) => ({ kind: 'identify', id: 1, more: false, paths: [path] })],
    ['a sync', (path) => ({ kind: 'sync', id: 1, more: false, paths: [path] })],
    ['an entry', entry],
    [
      'an outcome',
      (path) => ({ kind: 'outcomes', id: 1, last: true, outcomes: [{ kind: 'done', path, content: absent }] }),
    ],
  ]
  const rows = places.flatMap(([place, make]) => paths.map(([what, path]) => [place, what, path, make] as const))
  test.each(rows)('%s with %s is refused', (_, __, path, make) => {
    const frame = encode(make(bad(path)))
    expect(attempt(frame)).toBeUndefined()
  })

  test.each(['', '.', '..', 'a/b', 'a\0', 'x'.repeat(256), '.tandem', '.Tandem'])(
    'a member named %j is refused',
    (name) => {
      expect(attempt(encode(member(name)))).toBeUndefined()
    },
  )

  test('a problem may stand at a reserved name: that it cannot travel is told', () => {
    const message: Message = {
      kind: 'reports',
      id: 1,
      last: true,
      reports: [
        { kind: 'entry', path: bad('d/.TANDEM'), found: { kind: 'problem', code: 'name', detail: 'reserved' } },
      ],
    }
    expect(decode(encode(message))).toEqual(message)
  })
})

function resumed(sizes: readonly number[]): Message {
  const fingerprint = `sha256:${'ab'.repeat(32)}` as Fingerprint
  const prefixes = sizes.map((sizeBytes) => ({ sizeBytes, fingerprint }))
  return { kind: 'resumed', id: 1, others: false, parts: [{ want: 1, prefixes }] }
}

describe('a field beyond its limit is refused', () => {
  test.each<[string, Message]>([
    ['a link target', apply({ op: 'write-symlink', path: relPath('l'), expect: absent, target: 'x'.repeat(4_097) })],
    ['a pattern', open({ ignore: ['x'.repeat(4_097)], ignorenot: [], paths: [] })],
    ['the patterns', open({ ignore: Array(patternsMax + 1).fill('x'), ignorenot: [], paths: [] })],
    ['a path of the view', open({ ignore: [], ignorenot: [], paths: ['../x'] })],
    ['a file in a directory of its own', open(everything, 'd/f')],
    ['a file in the private folder', open(everything, '.tandem')],
    ['no file', open(everything, '')],
    ['a code', { kind: 'refuse', code: 'x'.repeat(65), detail: '' }],
    ['the name of a root', { ...open({ ignore: [], ignorenot: [], paths: [] }), root: 'x'.repeat(256) }],
    ['the path of a root', { ...open({ ignore: [], ignorenot: [], paths: [] }), root: `/${'x'.repeat(4_097)}` }],
    ['the beginnings of a file', resumed(Array.from({ length: 17 }, (_, at) => at + 1))],
    ['beginnings that do not grow', resumed([5, 5])],
    ['a beginning of nothing', resumed([0])],
    ['a supplier', { kind: 'apply', id: 1, more: false, batch: 1, supplier: 'x'.repeat(129), operations: [] }],
  ])('%s', (_, message) => {
    expect(attempt(encode(message))).toBeUndefined()
  })

  test.each<[string, (value: number) => Message]>([
    ['a generation that is told', (generation) => ({ kind: 'opened', id: 1, opened: { ...opened, generation } })],
    ['a generation to note', (generation) => ({ kind: 'set-generation', id: 1, pair: 'p', generation })],
    ['a sequence', (sequence) => ({ kind: 'changed', id: 1, last: true, sequence, current: true, reports: [] })],
    ['a sequence in an audit', (sequence) => ({ kind: 'audited', id: 1, last: true, rows: [{ ...row, sequence }] })],
    ['a sequence of a cursor', (sequence) => openAt({ ...cursor, sequence })],
  ])('%s: one more at a time never passes what six bytes hold', (_, make) => {
    for (const value of [0, countedMax]) expect(attempt(encode(make(value)))).toEqual(make(value))
    for (const value of [countedMax + 1, 2 ** 48 - 1, 2 ** 48, Number.MAX_SAFE_INTEGER])
      expect(attempt(encode(make(value)))).toBeUndefined()
    expect(countedMax).toBeLessThan(2 ** 48 - 2 ** 40)
  })

  test('a mode of more than twelve bits', () => {
    const frame = encode(
      apply({ op: 'set-props', path: relPath('f'), expect: absent, props: { mode: 0o7777, mtimeNs: undefined } }),
    )
    frame.set([0xff, 0xff], frame.length - 2)
    expect(attempt(frame)).toBeUndefined()
  })

  test('a long detail is cut by the sender, so that it is never refused', () => {
    const read = decode(encode({ kind: 'refuse', code: 'protocol', detail: 'ä'.repeat(5_000) }))
    expect(read).toMatchObject({ kind: 'refuse', detail: 'ä'.repeat(300) })
  })
})

test('the bytes of a pack are in a buffer of their own, to be handed to a worker', () => {
  const frame = encode({ kind: 'pack', id: 7, finished: [], bytes: Uint8Array.of(1, 2, 3) })
  const shared = Buffer.concat([Buffer.alloc(10), frame]).subarray(10)
  const read = decode(shared)
  if (read.kind !== 'pack') throw new Error('not a pack')
  expect(read.bytes.buffer.byteLength).toBe(3)
})

test('version 1 of the protocol is pinned: a change of these needs a new version and a line of history', () => {
  const fingerprint = `sha256:${'ab'.repeat(32)}` as Fingerprint
  const props = { mode: 0o644, mtimeNs: 1_700_000_000_123_456_789n }
  const file = { kind: 'file', fingerprint, sizeBytes: 5, props } as const
  const speaker = { identity: 'laptop', agent: 'tandem', version: '0.1.0', run: '00ff', features: ['x'] }
  const view = { ignore: ['Name *.o'], ignorenot: ['Name a.o'], paths: ['a/b'] }
  const cursor = { index: 'i', run: 'r', sequence: 9, view: 'v' }
  const p = relPath('a/ä')
  const problem = { code: 'io', detail: 'd' } as const
  const samples: Message[] = [
    { kind: 'hello', lowest: 1, highest: 2, role: 'lead', ...speaker },
    { kind: 'welcome', protocol: 1, heard: '00ff', role: 'peer', ...speaker },
    { kind: 'refuse', code: 'version', detail: 'd' },
    { kind: 'ping' },
    { kind: 'pong' },
    {
      kind: 'open',
      id: 1,
      more: true,
      root: 'docs',
      request: { pair: 'p', from: 'f', cursor, view, create: true, watch: false },
    },
    { kind: 'list', id: 2, more: false, paths: [p] },
    { kind: 'identify', id: 3, more: false, paths: [p] },
    { kind: 'rescan', id: 4, more: false, paths: [p] },
    { kind: 'sync', id: 5, more: false, paths: [p] },
    { kind: 'sync-all', id: 6 },
    { kind: 'supply', id: 7, more: false, wants: [wantOf(p), { ...wantOf(p), fingerprint }] },
    { kind: 'changes', id: 8 },
    { kind: 'cancel', id: 8 },
    {
      kind: 'apply',
      id: 9,
      more: false,
      batch: 1_700_000_000_000_000,
      supplier: 'boot',
      operations: [
        { op: 'create-directory', path: p, expect: absent, props },
        { op: 'write-file', path: p, expect: file, want: 3, sizeBytes: 5, props },
        { op: 'write-symlink', path: p, expect: { kind: 'symlink', target: 'old' }, target: 'new' },
        { op: 'remove', path: p, expect: { kind: 'directory', props } },
        { op: 'set-props', path: p, expect: file, props: { mode: undefined, mtimeNs: -1n } },
      ],
    },
    { kind: 'acknowledge', id: 10, more: false, batches: [1, 2] },
    { kind: 'set-generation', id: 11, pair: 'p', generation: 12 },
    { kind: 'close', id: 12 },
    { kind: 'stage', batch: 1, props: Uint8Array.of(3), bytes: Uint8Array.of(1, 2) },
    { kind: 'past', id: 1, outcomes: [{ batch: 1, supplier: 'b', outcome: { kind: 'done', path: p, content: file } }] },
    {
      kind: 'opened',
      id: 1,
      opened: {
        rootId: 'r',
        created: true,
        fresh: false,
        generation: 3,
        boot: 'b',
        index: 'i',
        run: 'n',
        folding: true,
        hardLink: p,
      },
    },
    {
      kind: 'reports',
      id: 2,
      last: true,
      reports: [
        { kind: 'entry', path: p, found: { ...file, fingerprint: undefined } },
        { kind: 'listing', path: p, members: [{ name: 'x', found: { kind: 'problem', ...problem } }], more: true },
      ],
    },
    {
      kind: 'outcomes',
      id: 9,
      last: false,
      outcomes: [
        { kind: 'done', path: p, content: absent },
        { kind: 'superseded', path: p, detail: 'd' },
        { kind: 'failed', path: p, ...problem, transient: true },
      ],
    },
    { kind: 'changed', id: 8, last: true, sequence: 77, current: true, reports: [] },
    {
      kind: 'pack',
      id: 7,
      finished: [
        { want: 2, kind: 'superseded' },
        { want: 3, kind: 'problem', ...problem },
      ],
      bytes: Uint8Array.of(9),
    },
    { kind: 'done', id: 7 },
    { kind: 'failed', id: 1, failure: 'replica', code: 'missing', transient: true, detail: 'd' },
    { kind: 'credit', id: 0, bytes: 1_000 },
    { kind: 'flush', id: 13 },
    { kind: 'flushed', id: 13, last: true, paths: [p] },
    { kind: 'removing', id: 11, count: 2_500, confirmed: true },
    { kind: 'held', id: 11, detail: 'd' },
  ]
  for (const message of samples) expect(decode(encode(message))).toEqual(message)
  expect(new Set(samples.map(kindOf)).size).toBe(32)
  const digest = createHash('sha256')
  for (const message of samples) digest.update(encode(message))
  expect({ protocolVersion, digest: digest.digest('hex') }).toEqual({
    protocolVersion: 1,
    digest: '38f145e59fe230d16d97493cd9e957a58fffb6b1fae7f5c6a68290f0b3083f1f',
  })
})

test('the feature resume is pinned', () => {
  const fingerprint = `sha256:${'ab'.repeat(32)}` as Fingerprint
  const path = relPath('a/ä')
  const prefixes = [
    { sizeBytes: 131_072, fingerprint },
    { sizeBytes: 262_144, fingerprint },
  ]
  const samples: Message[] = [
    { kind: 'resume', id: 1, batch: 2, files: [{ want: 3, path, sizeBytes: 600_000 }] },
    { kind: 'resumed', id: 1, others: true, parts: [{ want: 3, prefixes }] },
    { kind: 'supply', id: 4, more: false, wants: [{ ...wantOf(path), prefixes }] },
  ]
  const digest = createHash('sha256')
  for (const message of samples) {
    expect(decode(encode(message))).toEqual(message)
    digest.update(encode(message))
  }
  expect(digest.digest('hex')).toBe('82e332be77235ce315b05bc7bb02985e6b281745764ed4911a2811f3fbfc63d5')
})

test('the feature accept is pinned', () => {
  const samples: Message[] = [
    { kind: 'accept', id: 1, path: relPath('a/ä'), pairs: ['p', 'q'], confirmed: false, asksOnly: true },
    { kind: 'accepted', id: 1, answer: 'refused', detail: 'd' },
    { kind: 'accepted', id: 2, answer: 'nothing', detail: '' },
    { kind: 'accepted', id: 3, answer: 'accepted', detail: '' },
  ]
  const digest = createHash('sha256')
  for (const message of samples) {
    expect(decode(encode(message))).toEqual(message)
    digest.update(encode(message))
  }
  expect(digest.digest('hex')).toBe('bfafcb6faf135d9e708bdc444ab28c9a369506e36c3c59f9129742b30f034247')
})

test('the feature why is pinned', () => {
  const path = relPath('a/ä')
  const operations = [
    { op: 'remove', path, expect: absent, why: 'overruled' },
    { op: 'rename', path, from: relPath('b'), expect: absent, why: 'overruled' },
    { op: 'remove', path, expect: absent },
  ] as const
  const frame = encode({ kind: 'apply', id: 1, more: false, batch: 2, supplier: 's', operations })
  expect(decode(frame)).toMatchObject({ operations })
  expect(createHash('sha256').update(frame).digest('hex')).toBe(
    '6f4f6120f886cb1b63c6748e7dcdec5e34233ffdf301e5c1786726d628dd551f',
  )
})

test('the feature file is pinned', () => {
  const samples: Message[] = [
    open(everything, 'notes.txt'),
    { kind: 'described', id: 1, state: 'file', readOnly: false },
  ]
  const digest = createHash('sha256')
  for (const message of samples) {
    expect(decode(encode(message))).toEqual(message)
    digest.update(encode(message))
  }
  expect(digest.digest('hex')).toBe('6d55a7f7d5e4def956c6b82a1b2d92e93ba46571bf461b683c91c18a90ba3da7')
})

test('what version 1 got before it was ever given away is pinned too', () => {
  const found = { kind: 'directory', props: { mode: 0o755, mtimeNs: undefined } } as const
  const samples: Message[] = [
    { kind: 'doubt', id: 1, more: false, paths: [relPath('f')] },
    {
      kind: 'audit',
      id: 2,
      more: true,
      members: true,
      perms: 0o1777,
      times: true,
      paths: [
        { path: relPath(''), isLeftOut: false },
        { path: relPath('open'), isLeftOut: true },
      ],
    },
    {
      kind: 'audited',
      id: 2,
      last: true,
      rows: [{ directory: relPath('a'), name: 'd', found, sequence: 7, digest: '0f'.repeat(16) }],
    },
  ]
  for (const message of samples) expect(decode(encode(message))).toEqual(message)
  const digest = createHash('sha256')
  for (const message of samples) digest.update(encode(message))
  expect(digest.digest('hex')).toBe('94c07c576e8fbee83701d8b361267ed2d07ad91cc1f9a23361eac5a58f7adc33')
})

test('a shortened frame: its format, its length as it was, what it became', () => {
  const message: Message = { kind: 'shortened', format: 'brotli', sizeBytes: 0x01020304, bytes: Uint8Array.of(9, 8) }
  expect([...encode(message)]).toEqual([kindOf(message), 1, 4, 3, 2, 1, 9, 8])
  expect(kindOf(message)).toBe(39)
})

function kindOf(message: Message): number {
  return encode(message)[0] ?? -1
}

function apply(operation: Extract<Message, { kind: 'apply' }>['operations'][number]): Message {
  return { kind: 'apply', id: 1, more: false, batch: 1, supplier: 'b', operations: [operation] }
}

function wantOf(path: RelPath) {
  return { want: 1, path, sizeBytes: 5, mtimeNs: 7n, fingerprint: undefined }
}

const everything = { ignore: [], ignorenot: [], paths: [] }
const opened = {
  rootId: 'r',
  created: false,
  fresh: false,
  generation: 1,
  boot: 'b',
  index: 'i',
  run: 'u',
  folding: false,
  hardLink: undefined,
}
const cursor = { index: 'i', run: 'u', sequence: 1, view: 'v' }
const row = { directory: relPath('d'), name: 'n', found: absent, sequence: 1, digest: '' }

function openAt(cursor: Cursor): Message {
  const { request, ...message } = open(everything)
  return { ...message, request: { ...request, cursor } }
}

function open(
  view: { ignore: string[]; ignorenot: string[]; paths: string[] },
  file?: string,
): Extract<Message, { kind: 'open' }> {
  return {
    kind: 'open',
    id: 1,
    more: false,
    root: 'docs',
    request: {
      pair: 'p',
      from: 'f',
      cursor: undefined,
      view,
      create: false,
      watch: true,
      // Not every one can be said by a door of this house.
      file: file as RelPath | undefined,
    },
  }
}
