import { describe, expect, test } from 'vitest'
import type { Agreement } from '../../src/core/agreement.js'
import { absent, type Content } from '../../src/core/content.js'
import { judge, type Verdict } from '../../src/core/judge.js'
import type { Rules } from '../../src/core/rules.js'
import { agreement, directory, drawnContent, file, plainRules, unread } from './fixtures.js'

const A = file('one')
const B = file('two')
const C = file('six')
const L: Content = { kind: 'symlink', target: 'x' }
const M: Content = { kind: 'symlink', target: 'y' }
const D = directory()
const long = file('longer')

describe('the content of one path', () => {
  type Row = [string, Content, Content, Content, string]
  const rows: Row[] = [
    // what happened                                archive  alpha    beta     verdict
    ['nobody touched it', A, A, A, 'unchanged'],
    ['nobody knows it', absent, absent, absent, 'unchanged'],
    ['alpha edited it', A, B, A, 'one alpha: two'],
    ['beta edited it', A, A, B, 'one beta: two'],
    ['both made the same edit', A, B, B, 'agreed: two'],
    ['both edited it, differently', A, B, C, 'conflict'],
    ['alpha created it', absent, A, absent, 'one alpha: one'],
    ['beta created it', absent, absent, A, 'one beta: one'],
    ['both created the same', absent, A, A, 'agreed: one'],
    ['both created it, differently', absent, A, B, 'conflict'],
    ['alpha deleted it', A, absent, A, 'one alpha: nothing'],
    ['beta deleted it', A, A, absent, 'one beta: nothing'],
    ['both deleted it', A, absent, absent, 'agreed: nothing'],
    ['alpha deleted what beta edited', A, absent, B, 'conflict'],
    ['beta deleted what alpha edited', A, B, absent, 'conflict'],
    ['alpha made it a symlink', A, L, A, 'one alpha: ->x'],
    ['a symlink got another target', L, L, M, 'one beta: ->y'],
    ['a symlink got two other targets', absent, L, M, 'conflict'],
    ['a symlink here, a file there', absent, L, A, 'conflict'],
    ['both made the directory', absent, D, D, 'agreed: directory'],
    ['alpha made the file a directory', A, D, A, 'one alpha: directory'],
    ['one side went back to what was agreed, the other went on', A, A, C, 'one beta: six'],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, verdict) => {
    const known = archive.kind === 'absent' ? undefined : agreement(archive)
    expect(contentVerdict(judge(known, alpha, beta, plainRules))).toBe(verdict)
  })
})

describe('a file that was not read yet', () => {
  const U = unread('one')
  type Row = [string, Content, Content, Content, string]
  const rows: Row[] = [
    ['is new against absence: no need to read', absent, U, absent, 'one alpha: 3 bytes'],
    ['is of the size that was agreed', A, U, A, 'read alpha'],
    ['is of the size of the other side, which changed', long, U, A, 'read alpha'],
    ['is of another size than the rest', A, unread('longer'), A, 'one alpha: 6 bytes'],
    ['is on both sides, new, of one size', absent, U, unread('two'), 'read alpha and beta'],
    ['is on both sides, new, of two sizes', absent, U, unread('longer'), 'conflict'],
    ['may be what was agreed while the other is gone', A, absent, U, 'read beta'],
    ['is surely an edit while the other is gone', A, absent, unread('longer'), 'conflict'],
    ['may be what was agreed while the other changed in size', A, unread('longer'), U, 'read beta'],
    ['is of the size of nothing, and both sides changed', A, unread('longer'), unread('longest'), 'conflict'],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, verdict) => {
    const known = archive.kind === 'absent' ? undefined : agreement(archive)
    expect(contentVerdict(judge(known, alpha, beta, plainRules))).toBe(verdict)
  })
  test('an archive without a fingerprint is no common state', () => {
    expect(contentVerdict(judge(agreement(U), A, B, plainRules))).toBe('conflict')
  })
})

describe('the mode', () => {
  type Row = [string, number | undefined, number, number, string, Partial<Rules>?]
  const rows: Row[] = [
    // what happened                          archive    alpha  beta   verdict
    ['nobody touched it', 0o644, 0o644, 0o644, 'unchanged'],
    ['alpha changed it', 0o644, 0o600, 0o644, '600'],
    ['beta changed it', 0o644, 0o644, 0o755, '755'],
    ['both changed it alike', 0o644, 0o600, 0o600, '600'],
    ['both changed it, differently', 0o644, 0o600, 0o755, 'torn'],
    ['unknown to the archive, equal', undefined, 0o600, 0o600, '600'],
    ['unknown to the archive, different', undefined, 0o600, 0o644, 'torn'],
    ['a difference outside the mask is none', 0o644, 0o4644, 0o644, 'unchanged'],
    ['a narrow mask sees only its bits', 0o700, 0o744, 0o755, 'unchanged', { perms: 0o700 }],
    ['with perms 0 nothing is compared, and the archive knows nothing', 0o644, 0o600, 0o755, 'unknown', { perms: 0 }],
    ['with perms 0 and nothing known nothing is news', undefined, 0o600, 0o755, 'unchanged', { perms: 0 }],
    ['with every bit set-uid counts', 0o644, 0o4644, 0o644, '4644', { perms: 0o7777 }],
    ['alpha is preferred in a conflict', 0o644, 0o600, 0o755, '600', { prefer: 'alpha' }],
    ['beta is preferred in a conflict', undefined, 0o600, 0o755, '755', { prefer: 'beta' }],
    ['preferring alpha changes nothing where beta alone changed', 0o644, 0o644, 0o755, '755', { prefer: 'alpha' }],
    ['alpha is forced where beta alone changed', 0o644, 0o644, 0o755, '644', { force: 'alpha' }],
    ['beta is forced where alpha alone changed', 0o644, 0o600, 0o644, '644', { force: 'beta' }],
    ['alpha is forced where nothing is known', undefined, 0o600, 0o755, '600', { force: 'alpha' }],
    ['alpha is forced, and equal', 0o644, 0o644, 0o644, 'unchanged', { force: 'alpha' }],
    ['alpha is forced outside the mask', 0o644, 0o644, 0o4644, 'unchanged', { force: 'alpha' }],
  ]
  for (const kind of ['file', 'directory'] as const) {
    test.each(rows)(`of a ${kind}: %s`, (_, archive, alpha, beta, verdict, rules = {}) => {
      const of = (mode: number | undefined): Content =>
        ({
          ...(kind === 'file' ? A : D),
          props: { mode, mtimeNs: kind === 'file' ? 1n : undefined },
        }) as Content
      expect(modeVerdict(judge(agreement(of(archive)), of(alpha), of(beta), { ...plainRules, ...rules }))).toBe(verdict)
    })
  }

  test('the newer file is preferred, equal times decide nothing', () => {
    const rules: Rules = { ...plainRules, prefer: 'newer' }
    expect(modeVerdict(judge(undefined, file('x', 0o600, 5n), file('x', 0o644, 9n), rules))).toBe('644')
    expect(modeVerdict(judge(undefined, file('x', 0o600, 5n), file('x', 0o644, 5n), rules))).toBe('torn')
    expect(modeVerdict(judge(undefined, directory(0o700), directory(0o755), rules))).toBe('torn')
  })
  test('a conflict leaves the archive its mode', () => {
    const verdict = judge(agreement(file('x', 0o644)), file('y', 0o600), file('x', 0o755), plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', torn: true, source: 'alpha', goal: file('y', 0o644) })
  })
})

describe('the time', () => {
  type Row = [string, bigint | undefined, bigint, bigint, string, Partial<Rules>?]
  const rows: Row[] = [
    ['nobody touched it', 5n, 5n, 5n, 'unchanged'],
    ['alpha touched it', 5n, 9n, 5n, '9'],
    ['beta set it back', 5n, 5n, 1n, '1'],
    ['both touched it: the later one', 5n, 7n, 9n, '9'],
    ['alpha is forced where beta touched it', 5n, 5n, 9n, '5', { force: 'alpha' }],
    ['beta is forced where both touched it', 5n, 9n, 7n, '7', { force: 'beta' }],
    ['the newer is forced where alpha set it back', 5n, 1n, 5n, '5', { force: 'newer' }],
    ['the older is forced where beta touched it', 5n, 5n, 9n, '5', { force: 'older' }],
    ['both set it back: the later one', 5n, 1n, 3n, '3'],
    ['unknown to the archive: the later one', undefined, 1n, 3n, '3'],
    ['unknown to the archive, equal', undefined, 3n, 3n, '3'],
    ['before 1970', -9n, -9n, -5n, '-5'],
    ['off: not compared, and unknown from now on', 5n, 7n, 9n, 'unknown', { times: false }],
    ['off and unknown', undefined, 7n, 9n, 'unchanged', { times: false }],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, verdict, rules = {}) => {
    const of = (time: bigint | undefined): Content => ({ ...A, props: { mode: 0o644, mtimeNs: time } }) as Content
    const given = judge(agreement(of(archive)), of(alpha), of(beta), { ...plainRules, ...rules })
    expect(timeVerdict(given)).toBe(verdict)
  })
  test('of a directory says nothing', () => {
    const of = (mtimeNs: bigint): Content => ({ kind: 'directory', props: { mode: 0o755, mtimeNs } })
    expect(judge(agreement(directory()), of(3n), of(4n), plainRules)).toEqual({ kind: 'unchanged' })
  })
})

describe('content and properties apart', () => {
  test('a chmod here and an edit there merge', () => {
    const verdict = judge(agreement(file('x', 0o644, 1n)), file('x', 0o755, 1n), file('y', 0o644, 9n), plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', source: 'beta', torn: false, goal: file('y', 0o755, 9n) })
  })
  test('a deletion against a change of properties only is a deletion', () => {
    const verdict = judge(agreement(file('x', 0o644, 1n)), file('x', 0o755, 9n), absent, plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', goal: absent })
  })
  test('a new file takes the masked bits of its source', () => {
    const verdict = judge(undefined, file('x', 0o6755), absent, plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', goal: file('x', 0o755) })
  })
  test('equal files with different times agree on the later one', () => {
    expect(judge(undefined, file('x', 0o644, 1n), file('x', 0o644, 5n), plainRules)).toMatchObject({
      kind: 'settle',
      torn: false,
      goal: file('x', 0o644, 5n),
    })
  })
  test('what an archive did not know and both sides hold alike is recorded', () => {
    const known = agreement({ ...A, props: { mode: undefined, mtimeNs: undefined } } as Content)
    expect(judge(known, A, A, plainRules)).toMatchObject({ kind: 'settle', news: true, goal: A })
  })
  test('the mode that was agreed for a directory says nothing of a file', () => {
    expect(judge(agreement(directory(0o600)), file('x', 0o600), file('x', 0o644), plainRules)).toMatchObject({
      torn: true,
      goal: { props: { mode: undefined } },
    })
  })
})

describe('a side that cannot hold what was agreed', () => {
  const held = (beta: { mode?: number; mtimeNs?: bigint }): Agreement => ({
    content: file('x', 0o600, 15n),
    alphaHolds: undefined,
    betaHolds: { mode: beta.mode, mtimeNs: beta.mtimeNs },
  })
  test('is unchanged as long as it holds what it held', () => {
    expect(
      judge(held({ mode: 0o755, mtimeNs: 10n }), file('x', 0o600, 15n), file('x', 0o755, 10n), plainRules),
    ).toEqual({
      kind: 'unchanged',
    })
  })
  test('is changed when it holds something else', () => {
    const verdict = judge(held({ mode: 0o755, mtimeNs: 10n }), file('x', 0o600, 15n), file('x', 0o755, 20n), plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', goal: { props: { mode: 0o600, mtimeNs: 20n } } })
  })
  test('loses no change of the other side', () => {
    const verdict = judge(held({ mode: 0o755 }), file('x', 0o640, 15n), file('x', 0o755, 15n), plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', torn: false, goal: { props: { mode: 0o640 } } })
  })
  test('the same holds for alpha', () => {
    const known: Agreement = { ...held({}), alphaHolds: { mode: 0o755, mtimeNs: 10n }, betaHolds: undefined }
    const beta = file('x', 0o600, 15n)
    expect(judge(known, file('x', 0o755, 10n), beta, plainRules)).toEqual({ kind: 'unchanged' })
    expect(judge(known, file('x', 0o711, 10n), beta, plainRules)).toMatchObject({
      kind: 'settle',
      torn: false,
      goal: { props: { mode: 0o711, mtimeNs: 15n } },
    })
  })
  test('that holds it after all is news: the archive forgets what it held', () => {
    const verdict = judge(held({ mode: 0o755 }), file('x', 0o600, 15n), file('x', 0o600, 15n), plainRules)
    expect(verdict).toMatchObject({ kind: 'settle', news: true, goal: file('x', 0o600, 15n) })
  })
})

function contentVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'settle':
      return `${verdict.source === 'both' ? 'agreed' : `one ${verdict.source}`}: ${drawnContent(verdict.goal)}`
    case 'unread':
      return `read ${verdict.sides.join(' and ')}`
    default:
      return verdict.kind
  }
}

function modeVerdict(verdict: Verdict): string {
  if (verdict.kind !== 'settle') return verdict.kind
  if (verdict.torn) return 'torn'
  const { goal } = verdict
  return goal.kind === 'file' || goal.kind === 'directory' ? (goal.props.mode?.toString(8) ?? 'unknown') : goal.kind
}

function timeVerdict(verdict: Verdict): string {
  if (verdict.kind !== 'settle') return verdict.kind
  return verdict.goal.kind === 'file' ? String(verdict.goal.props.mtimeNs ?? 'unknown') : verdict.goal.kind
}
