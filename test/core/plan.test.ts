import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { isWithin } from '../../src/core/path.js'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import type { Rules } from '../../src/core/rules.js'
import { wholeTouched } from '../../src/core/tree.js'
import { pass } from './disk.js'
import { agreed, Dir, type Drawn, directory, file, plainRules, tree } from './fixtures.js'
import { emptyPair, rounds, take } from './histories.js'

/** Both sides' operations of a pass, in words and in order. */
function planned(
  archive: Drawn,
  alpha: Drawn,
  beta: Drawn,
  rules: Partial<Rules> = {},
): { alpha: string[]; beta: string[] } {
  const { alpha: onAlpha, beta: onBeta } = operations(archive, alpha, beta, rules)
  return { alpha: onAlpha.map(spokenOperation), beta: onBeta.map(spokenOperation) }
}

function operations(
  archive: Drawn,
  alpha: Drawn,
  beta: Drawn,
  partial: Partial<Rules> = {},
): { alpha: Operation[]; beta: Operation[] } {
  const rules = { ...plainRules, ...partial }
  return planOf(reconcile(agreed(archive), tree(alpha), tree(beta), wholeTouched, rules), rules)
}

function spokenOperation(operation: Operation): string {
  const { op, path } = operation
  if (operation.op === 'rename') return `rename ${operation.from} ${path}`
  if (operation.op === 'remove' || operation.op === 'write-symlink') return `${op} ${path}`
  const { mode, mtimeNs } = operation.props
  const shown = [mode === undefined ? '' : ` ${mode.toString(8)}`, mtimeNs === undefined ? '' : ` at ${mtimeNs}`].join(
    '',
  )
  return `${op} ${path}${shown}`
}

test('what goes against the version of a side says so there, with all below, and nowhere else', () => {
  const why = (drawn: ReturnType<typeof operations>) =>
    [...drawn.alpha.map((one) => ({ ...one, at: 'alpha' })), ...drawn.beta.map((one) => ({ ...one, at: 'beta' }))].map(
      ({ at, op, path, why }) => `${at} ${op} ${path}: ${why ?? 'changed'}`,
    )
  const archive = { d: { f: 'f', g: 'g' }, e: 'e' }
  // Both changed f; alpha removed e; beta has a new file where alpha has none.
  const alpha = { d: { f: 'of alpha', g: 'g' } }
  const beta = { d: { f: 'of beta', g: 'g' }, e: 'e', new: { n: 'n' } }
  expect(why(operations(archive, alpha, beta, { prefer: 'alpha' }))).toEqual([
    'alpha create-directory new: changed',
    'alpha write-file new/n: changed',
    'beta write-file d/f: overruled',
    'beta remove e: changed',
  ])
  expect(why(operations(archive, alpha, beta, { force: 'alpha' }))).toEqual([
    'beta write-file d/f: overruled',
    'beta remove new/n: overruled',
    'beta remove new: overruled',
    'beta remove e: changed',
  ])
})

describe('the order of operations', () => {
  test('new directories come before what is in them', () => {
    expect(planned({}, { d: { e: { a: 'x' }, b: 'y' } }, {})).toEqual({
      alpha: [],
      beta: [
        'create-directory d 755',
        'create-directory d/e 755',
        'write-file d/e/a 644 at 1',
        'write-file d/b 644 at 1',
      ],
    })
  })
  test('removals come last, leaves first', () => {
    expect(planned({ d: { a: 'x', e: { b: 'y' } } }, { f: 'z' }, { d: { a: 'x', e: { b: 'y' } } }).beta).toEqual([
      'write-file f 644 at 1',
      'remove d/e/b',
      'remove d/e',
      'remove d/a',
      'remove d',
    ])
  })
  test('what makes way for another kind of thing goes first', () => {
    expect(planned({ d: { a: 'x' }, g: 'g' }, { b: 'y', d: 'f' }, { d: { a: 'x' }, g: 'g' }).beta).toEqual([
      'remove d/a',
      'remove d',
      'write-file b 644 at 1',
      'write-file d 644 at 1',
      'remove g',
    ])
  })
  test('a file makes way for a directory', () => {
    expect(planned({ d: 'f' }, { d: { a: 'x' } }, { d: 'f' }).beta).toEqual([
      'remove d',
      'create-directory d 755',
      'write-file d/a 644 at 1',
    ])
  })
  test('a symlink is replaced by a file in one step, and the reverse', () => {
    const [write] = operations({ a: '->t' }, { a: 'x' }, { a: '->t' }).beta
    expect(write).toMatchObject({ op: 'write-file', expect: { kind: 'symlink', target: 't' } })
    const [link] = operations({ a: 'x' }, { a: '->t' }, { a: 'x' }).beta
    expect(link).toEqual({ op: 'write-symlink', path: 'a', expect: file('x'), target: 't' })
  })
  test('a directory that takes rights from its owner is closed at the end', () => {
    expect(planned({ r: 'x' }, { d: new Dir(0o555, { e: new Dir(0o500, { a: 'x' }) }) }, { r: 'x' }).beta).toEqual([
      'create-directory d 755',
      'create-directory d/e 700',
      'write-file d/e/a 644 at 1',
      'remove r',
      'set-props d/e 500',
      'set-props d 555',
    ])
  })
  test('a directory that is opened is opened before what is in it, one that is closed is closed after', () => {
    const shut = { d: new Dir(0o555, { a: 'x' }) }
    const open = { d: new Dir(0o755, { b: 'y' }) }
    expect(planned(shut, { d: new Dir(0o755, { a: 'x', b: 'y' }) }, shut).beta).toEqual([
      'set-props d 755',
      'write-file d/b 644 at 1',
    ])
    expect(planned(open, { d: new Dir(0o555, { a: 'x' }) }, open).beta).toEqual([
      'write-file d/a 644 at 1',
      'remove d/b',
      'set-props d 555',
    ])
  })
  test('a write wants its own place in the list', () => {
    for (const { op, ...rest } of operations({ d: { a: 'x' } }, { b: 'y', c: 'z', d: 'f' }, { d: { a: 'x' } }).beta)
      if (op === 'write-file' && 'want' in rest) expect(rest.want).toBe(['', '', 'b', 'c', 'd'].indexOf(rest.path))
  })
})

describe('what an operation expects', () => {
  test('is what was reported, with all bits and the time', () => {
    const held = file('x', 0o4755, 7n)
    expect(operations({ a: file('x', 0o755, 7n) }, { a: file('y', 0o755, 9n) }, { a: held }).beta).toEqual([
      { op: 'write-file', path: 'a', expect: held, want: 0, sizeBytes: 1, props: { mode: 0o4755, mtimeNs: 9n } },
    ])
  })
  test('is nothing where something made way', () => {
    const [, , write] = operations({ d: { a: 'x' } }, { d: 'f' }, { d: { a: 'x' } }).beta
    expect(write).toMatchObject({ op: 'write-file', expect: absent })
  })
  test('of a directory that is closed at the end is the one that was made', () => {
    const [make, close] = operations({}, { d: new Dir(0o555, {}) }, {}).beta
    expect(make).toMatchObject({ expect: absent, props: { mode: 0o755 } })
    expect(close).toMatchObject({ op: 'set-props', expect: directory(0o755), props: { mode: 0o555 } })
  })
})

describe('properties', () => {
  test('a chmod here and an edit there make one operation on each side', () => {
    const plan = planned({ a: file('x', 0o644, 1n) }, { a: file('x', 0o755, 1n) }, { a: file('y', 0o644, 9n) })
    expect(plan).toEqual({ alpha: ['write-file a 755 at 9'], beta: ['set-props a 755'] })
  })
  test('bits outside the mask stay as they are', () => {
    expect(planned({ a: file('x', 0o644) }, { a: file('x', 0o600) }, { a: file('x', 0o6644) }).beta).toEqual([
      'set-props a 6600',
    ])
  })
  test('a new file takes the masked bits, the others are 0', () => {
    expect(planned({}, { a: file('x', 0o6755) }, {}).beta).toEqual(['write-file a 755 at 1'])
  })
  test('with perms 0 and times off a new file takes what the receiver gives', () => {
    expect(planned({}, { a: 'x', d: {} }, {}, { perms: 0, times: false }).beta).toEqual([
      'write-file a',
      'create-directory d',
    ])
  })
  test('the later time is set on the side that lacks it', () => {
    expect(planned(undefined, { a: file('x', 0o644, 1n) }, { a: file('x', 0o644, 5n) })).toEqual({
      alpha: ['set-props a at 5'],
      beta: [],
    })
  })
  test('modes in conflict stay, although the content travels', () => {
    const plan = planned({ a: file('x', 0o644, 1n) }, { a: file('y', 0o600, 9n) }, { a: file('x', 0o755, 1n) })
    expect(plan).toEqual({ alpha: [], beta: ['write-file a at 9'] })
  })
  test('modes in conflict stay, although the time travels', () => {
    const plan = planned({ a: file('x', 0o644, 1n) }, { a: file('x', 0o600, 9n) }, { a: file('x', 0o755, 1n) })
    expect(plan).toEqual({ alpha: [], beta: ['set-props a at 9'] })
  })
  test('a preferred file brings its mode, even where that is the one agreed before', () => {
    const plan = planned(
      { a: file('x', 0o644, 1n) },
      { a: file('y', 0o644, 2n) },
      { a: file('z', 0o755, 3n) },
      { prefer: 'alpha' },
    )
    expect(plan.beta).toEqual(['write-file a 644 at 2'])
  })
  test.each([
    ['mode', { mode: 0o755, mtimeNs: undefined }, file('x', 0o600, 9n), file('x', 0o755, 1n), { mtimeNs: 9n }],
    ['time', { mode: undefined, mtimeNs: 0n }, file('x', 0o644, 1n), file('x', 0o600, 0n), { mode: 0o644 }],
  ])(
    'a %s that a side could not hold is not tried again with every change of something else',
    (_, betaHolds, alpha, beta, props) => {
      const archive = agreed({ a: file('x', 0o600, 1n) })
      const held = { content: file('x', 0o600, 1n), alphaHolds: undefined, betaHolds }
      const known = { ...archive, member: () => ({ ...archive.member('a'), agreement: held }) }
      const decisions = reconcile(known, tree({ a: alpha }), tree({ a: beta }), wholeTouched, plainRules)
      const nothing = { mode: undefined, mtimeNs: undefined }
      expect(planOf(decisions, plainRules).beta).toMatchObject([{ op: 'set-props', props: { ...nothing, ...props } }])
    },
  )
  test('nothing is planned for what is agreed already, nor for a file whose fingerprint only its source lacks', () => {
    expect(planned(undefined, { a: 'x' }, { a: 'x' })).toEqual({ alpha: [], beta: [] })
    expect(planned({}, { a: '?x' }, {})).toEqual({ alpha: [], beta: ['write-file a 644 at 1'] })
  })
})

test('law: every plan of every history can be carried out, in order, and leaves both sides at the goal', () => {
  fc.assert(
    fc.property(
      rounds,
      fc.constantFrom<Rules['prefer']>('nobody', 'alpha', 'newer'),
      fc.constantFrom(0o1777, 0o7777, 0o100, 0),
      fc.boolean(),
      (history, prefer, perms, times) => {
        const rules = { ...plainRules, prefer, perms, times }
        const pair = emptyPair()
        for (const round of history) {
          take(pair, round)
          const decisions = pass(pair, rules)
          const torn = decisions.filter((one) => one.kind === 'conflict')
          for (const decision of decisions) {
            if (decision.kind !== 'settle') continue
            for (const side of ['alpha', 'beta'] as const) {
              const held = pair[side].at(decision.path)
              expect(
                comparable(
                  held,
                  rules,
                  torn.some(({ path }) => path === decision.path),
                ),
              ).toEqual(
                comparable(
                  decision.goal,
                  rules,
                  torn.some(({ path }) => path === decision.path),
                ),
              )
            }
          }
        }
      },
    ),
    { numRuns: 800 },
  )
})

test('law: no operation lies below a path that is in conflict about content', () => {
  fc.assert(
    fc.property(rounds, (history) => {
      const pair = emptyPair()
      for (const round of history) {
        take(pair, round)
        const decisions = pass(pair, plainRules)
        const conflicts = decisions.filter((one) => one.kind === 'conflict' && one.about === 'content')
        const plan = planOf(decisions, plainRules)
        for (const { path } of [...plan.alpha, ...plan.beta])
          expect(conflicts.some((conflict) => isWithin(path, conflict.path))).toBe(false)
      }
    }),
    { numRuns: 300 },
  )
})

/** As far as the rules compare it. */
function comparable(content: Content, rules: Rules, modeIsTorn: boolean): unknown {
  if (content.kind === 'absent' || content.kind === 'symlink') return content
  const mode = modeIsTorn || rules.perms === 0 ? 'any' : (content.props.mode ?? 0) & rules.perms
  if (content.kind === 'directory') return mode
  return { mode, fingerprint: content.fingerprint, time: rules.times ? content.props.mtimeNs : 'any' }
}
