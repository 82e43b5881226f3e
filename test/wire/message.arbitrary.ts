import fc from 'fast-check'
import type { Content, Fingerprint, Props } from '../../src/core/content.js'
import type { Operation, Outcome } from '../../src/core/operation.js'
import { decodeName, isReserved, isReservedName, nameFault, type RelPath, relPath } from '../../src/core/path.js'
import type { Found, Problem, ProblemCode, Report } from '../../src/core/report.js'
import type { PastOutcome, Prefix, Supplied, View, Want } from '../../src/replica/replica.js'
import type { Message } from '../../src/wire/message.js'
import { countedMax } from '../../src/wire/text.js'

/** Names as the kernel gives them: any bytes but '/' and NUL, so that some are not UTF-8. */
const name = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => decodeName(bytes)),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((text) => decodeName(Buffer.from(text))),
    fc.constantFrom('a', 'README.md', '.git', 'ä', '𝄞', '.tandem-not'),
  )
  .filter((text) => nameFault(text) === undefined && !isReservedName(text))
const path: fc.Arbitrary<RelPath> = fc
  .array(name, { maxLength: 4 })
  .map((names) => relPath(names.join('/')))
  .filter((whole) => !isReserved(whole))
const text = fc.string({ maxLength: 40 })
const id = fc.stringMatching(/^[0-9a-f]{32}$/)
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const whole = fc.maxSafeNat()
const counted = fc.nat(countedMax)
const size = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const ns = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const fingerprint = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `sha256:${Buffer.from(bytes).toString('hex')}` as Fingerprint)
const code = fc.constantFrom<ProblemCode>('denied', 'io', 'special', 'disk-full', 'busy', 'unsupported')

const props: fc.Arbitrary<Props> = fc.record({
  mode: fc.option(fc.integer({ min: 0, max: 0o7777 }), { nil: undefined }),
  mtimeNs: fc.option(ns, { nil: undefined }),
})
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.constant<Content>({ kind: 'absent' }),
  fc.record({ kind: fc.constant('directory' as const), props }),
  fc.record({ kind: fc.constant('symlink' as const), target: name }),
  fc.record({
    kind: fc.constant('file' as const),
    fingerprint: fc.option(fingerprint, { nil: undefined }),
    sizeBytes: size,
    props,
  }),
)
const problem: fc.Arbitrary<Problem> = fc.record({ kind: fc.constant('problem' as const), code, detail: text })
const found: fc.Arbitrary<Found> = fc.oneof(content, problem)
const report: fc.Arbitrary<Report> = fc.oneof(
  fc.record({ kind: fc.constant('entry' as const), path, found }),
  fc.record({
    kind: fc.constant('listing' as const),
    path,
    members: fc.array(fc.record({ name, found }), { maxLength: 5 }),
    more: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('moved' as const), path, from: path }),
)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ op: fc.constantFrom('create-directory' as const, 'set-props' as const), path, expect: content, props }),
  fc.record({ op: fc.constant('write-file' as const), path, expect: content, want: u32, sizeBytes: size, props }),
  fc.record({ op: fc.constant('write-symlink' as const), path, expect: content, target: name }),
  fc.record({ op: fc.constant('remove' as const), path, expect: content }),
  fc.record({ op: fc.constant('rename' as const), path, from: path, expect: content }),
)
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: fc.constant('done' as const), path, content }),
  fc.record({ kind: fc.constant('done' as const), path, content, from: path }),
  fc.record({ kind: fc.constant('superseded' as const), path, detail: text }),
  fc.record({ kind: fc.constant('failed' as const), path, code, detail: text, transient: fc.boolean() }),
)
const past: fc.Arbitrary<PastOutcome> = fc.record({ batch: whole, supplier: id, outcome })
const prefixes: fc.Arbitrary<Prefix[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 2 ** 48 - 1 }), { maxLength: 16 })
  .chain((sizes) => {
    const ascending = sizes.sort((one, other) => one - other)
    return fc.tuple(...ascending.map((sizeBytes) => fc.record({ sizeBytes: fc.constant(sizeBytes), fingerprint })))
  })
const wanted = {
  want: u32,
  path,
  sizeBytes: size,
  mtimeNs: ns,
  fingerprint: fc.option(fingerprint, { nil: undefined }),
}
const want: fc.Arbitrary<Want> = fc.oneof(fc.record(wanted), fc.record({ ...wanted, prefixes }))
const supplied: fc.Arbitrary<Supplied> = fc.oneof(
  fc.record({ want: u32, kind: fc.constant('whole' as const), fingerprint }),
  fc.record({ want: u32, kind: fc.constant('superseded' as const) }),
  fc.record({ want: u32, kind: fc.constant('problem' as const), code, detail: text }),
)
const bytes = fc.uint8Array({ maxLength: 200 })
const speaker = {
  role: fc.constantFrom('lead' as const, 'peer' as const),
  identity: text,
  agent: text,
  version: text,
  run: id,
  features: fc.array(fc.constantFrom('zstd', 'delta'), { maxLength: 3 }),
}
const view: fc.Arbitrary<View> = fc.record({
  ignore: fc.array(text, { maxLength: 3 }),
  ignorenot: fc.array(text, { maxLength: 3 }),
  paths: fc.array(path, { maxLength: 3 }),
})
const more = fc.boolean()
const last = fc.boolean()
const few = { maxLength: 4 }

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc
    .record({ kind: fc.constant('hello' as const), lowest: fc.nat(9), span: fc.nat(9), ...speaker })
    .map(({ span, ...hello }) => ({ ...hello, highest: hello.lowest + span })),
  fc.record({ kind: fc.constant('welcome' as const), protocol: fc.nat(9), heard: id, ...speaker }),
  fc.record({ kind: fc.constant('refuse' as const), code: fc.constantFrom('protocol', 'version'), detail: text }),
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const) }),
  fc.record({
    kind: fc.constantFrom(
      'sync-all' as const,
      'flush' as const,
      'changes' as const,
      'cancel' as const,
      'close' as const,
      'done' as const,
    ),
    id: u32,
  }),
  fc.record({
    kind: fc.constant('open' as const),
    id: u32,
    more,
    root: text,
    request: fc.record({
      pair: id,
      from: text,
      cursor: fc.option(fc.record({ index: id, run: id, sequence: counted, view: id }), { nil: undefined }),
      view,
      create: fc.boolean(),
      watch: fc.boolean(),
      file: fc.constantFrom(undefined, relPath('notes.txt'), relPath('\udc80 of no text')),
    }),
  }),
  fc.record({
    kind: fc.constantFrom('list' as const, 'identify' as const, 'rescan' as const, 'sync' as const, 'doubt' as const),
    id: u32,
    more,
    paths: fc.array(path, few),
  }),
  fc.record({
    kind: fc.constant('audit' as const),
    id: u32,
    more,
    members: fc.boolean(),
    perms: fc.integer({ min: 0, max: 0o7777 }),
    times: fc.boolean(),
    paths: fc.array(fc.record({ path, isLeftOut: fc.boolean() }), few),
  }),
  fc.record({
    kind: fc.constant('audited' as const),
    id: u32,
    last,
    rows: fc.array(
      fc.record({ directory: path, name: fc.oneof(fc.constant(''), name), found, sequence: counted, digest: id }),
      few,
    ),
  }),
  fc.record({ kind: fc.constant('supply' as const), id: u32, more, wants: fc.array(want, few) }),
  fc.record({
    kind: fc.constant('apply' as const),
    id: u32,
    more,
    batch: whole,
    supplier: id,
    operations: fc.array(operation, few),
  }),
  fc.record({ kind: fc.constant('acknowledge' as const), id: u32, more, batches: fc.array(whole, few) }),
  fc.record({ kind: fc.constant('set-generation' as const), id: u32, pair: id, generation: counted }),
  fc.record({ kind: fc.constant('stage' as const), batch: whole, props: bytes, bytes }),
  fc.record({ kind: fc.constant('past' as const), id: u32, outcomes: fc.array(past, few) }),
  fc.record({
    kind: fc.constant('opened' as const),
    id: u32,
    opened: fc.record({
      rootId: id,
      created: fc.boolean(),
      fresh: fc.boolean(),
      generation: counted,
      boot: id,
      index: id,
      run: id,
      folding: fc.boolean(),
      hardLink: fc.option(path, { nil: undefined }),
    }),
  }),
  fc.record({ kind: fc.constant('reports' as const), id: u32, last, reports: fc.array(report, few) }),
  fc.record({ kind: fc.constant('outcomes' as const), id: u32, last, outcomes: fc.array(outcome, few) }),
  fc.record({
    kind: fc.constant('changed' as const),
    id: u32,
    last,
    sequence: counted,
    current: fc.boolean(),
    reports: fc.array(report, few),
  }),
  fc.record({ kind: fc.constant('pack' as const), id: u32, finished: fc.array(supplied, few), bytes }),
  fc.record({
    kind: fc.constant('failed' as const),
    id: u32,
    failure: fc.constantFrom('link' as const, 'replica' as const, 'other' as const),
    code: fc.constantFrom('missing', 'unknown-root'),
    transient: fc.boolean(),
    detail: text,
  }),
  fc.record({ kind: fc.constant('flushed' as const), id: u32, last, paths: fc.array(path, few) }),
  fc.record({ kind: fc.constant('credit' as const), id: u32, bytes: u32 }),
  fc.record({ kind: fc.constant('removing' as const), id: u32, count: u32, confirmed: fc.boolean() }),
  fc.record({ kind: fc.constant('held' as const), id: u32, detail: text }),
  fc.record({
    kind: fc.constant('accept' as const),
    id: u32,
    path,
    pairs: fc.array(text, few),
    confirmed: fc.boolean(),
    asksOnly: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('accepted' as const),
    id: u32,
    answer: fc.constantFrom('accepted' as const, 'nothing' as const, 'refused' as const),
    detail: text,
  }),
  fc.record({
    kind: fc.constant('shortened' as const),
    format: fc.constantFrom('zstd' as const, 'brotli' as const),
    sizeBytes: u32,
    bytes,
  }),
  fc.record({
    kind: fc.constant('resume' as const),
    id: u32,
    batch: whole,
    files: fc.array(fc.record({ want: u32, path, sizeBytes: size }), few),
  }),
  fc.record({
    kind: fc.constant('resumed' as const),
    id: u32,
    others: fc.boolean(),
    parts: fc.array(fc.record({ want: u32, prefixes }), few),
  }),
)
export const anyReports = fc.array(report, { maxLength: 12 })
