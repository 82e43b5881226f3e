import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Decision } from '../../src/core/decision.js'
import { compareContents } from '../../src/core/judge.js'
import { isWithin, join, parentOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import type { Restriction, Rules } from '../../src/core/rules.js'
import { otherSide, type Side } from '../../src/core/side.js'
import { type AgreementTree, type Tree, wholeTouched } from '../../src/core/tree.js'
import { type Disk, type Pair, pass } from './disk.js'
import { agreed, agreement, directory, plainRules, problem, spoken, touchedAt, tree } from './fixtures.js'
import { archiveNode, diskNode, emptyPair, mirroredSteps, rounds, type Step, steps, take } from './histories.js'
import { type Node, same, synchronize } from './model.js'

const runs = { numRuns: 400 }

/** A pair with a past: some rounds synchronized, and then steps that were not. */
const pairs: fc.Arbitrary<Pair> = fc.tuple(rounds, steps).map(([past, news]) => {
  const pair = emptyPair()
  for (const round of past) {
    take(pair, round)
    pass(pair, plainRules)
  }
  take(pair, news)
  return pair
})

function decisionsOf(pair: Pair, rules: Rules = plainRules): Decision[] {
  return reconcile(pair.archive.tree(), pair.alpha.tree(), pair.beta.tree(), wholeTouched, rules)
}

function copyOf(pair: Pair): Pair {
  const copy = emptyPair()
  for (const [path, known] of pair.archive.agreements) copy.archive.agreements.set(path, known)
  return { archive: copy.archive, alpha: pair.alpha.copy(), beta: pair.beta.copy() }
}

function conflictsIn(decisions: readonly Decision[]): Decision[] {
  return decisions.filter(({ kind }) => kind === 'conflict')
}

function contentsOf(...disks: Disk[]): Set<string> {
  const found = new Set<string>()
  for (const disk of disks)
    for (const content of disk.contents.values()) if (content.kind === 'file') found.add(content.fingerprint ?? '')
  return found
}

describe('against a model written from the specification alone', () => {
  test('every round of every history leaves both sides, the archive and the conflicts as the model says', () => {
    fc.assert(
      fc.property(rounds, (history) => {
        const pair = emptyPair()
        let archive: Node
        for (const round of history) {
          take(pair, round)
          const conflicts: string[] = []
          const world = { archive, alpha: diskNode(pair.alpha), beta: diskNode(pair.beta) }
          const expected = synchronize('', world, conflicts)
          const decisions = pass(pair, plainRules)
          expect(diskNode(pair.alpha)).toEqual(expected.alpha)
          expect(diskNode(pair.beta)).toEqual(expected.beta)
          expect(archiveNode(pair.archive)).toEqual(expected.archive)
          const found = decisions.filter((one) => one.kind === 'conflict' && one.about === 'content')
          expect(found.map(({ path }) => path).sort()).toEqual(conflicts.sort())
          archive = expected.archive
        }
      }),
      { numRuns: 1_500 },
    )
  })
})

describe('laws of the reconciler', () => {
  test('idempotence: a second pass changes nothing and says so', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        pass(pair, plainRules)
        expect(decisionsOf(pair).filter(({ kind }) => kind === 'settle')).toEqual([])
      }),
      runs,
    )
  })

  test('convergence: without conflicts both sides hold the same, masked modes and times of files too', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        if (conflictsIn(pass(pair, plainRules)).length > 0) return
        expect(compared(pair.alpha)).toEqual(compared(pair.beta))
      }),
      runs,
    )
  })

  test('symmetry: swapping the sides swaps the outcome', () => {
    fc.assert(
      fc.property(rounds, (history) => {
        const [pair, mirror] = [emptyPair(), emptyPair()]
        for (const round of history) {
          take(pair, round)
          take(mirror, mirroredSteps(round))
          pass(pair, plainRules)
          pass(mirror, plainRules)
        }
        expect(mirror.alpha.contents).toEqual(pair.beta.contents)
        expect(mirror.beta.contents).toEqual(pair.alpha.contents)
        expect(mirror.archive.agreements).toEqual(pair.archive.agreements)
      }),
      runs,
    )
  })

  test('locality: what becomes of a directory depends on nothing beside it', () => {
    fc.assert(
      fc.property(pairs, pairs, (pair, other) => {
        const alone = decisionsOf(pair)
        const within = (one: Tree, beside: Tree): Tree => ({
          found: directory(),
          names: () => ['d', 'e'],
          member: (name) => (name === 'd' ? one : beside),
        })
        const agreedWithin = (one: AgreementTree, beside: AgreementTree): AgreementTree => ({
          agreement: agreement(directory()),
          names: () => ['d', 'e'],
          member: (name) => (name === 'd' ? one : beside),
        })
        const beside = reconcile(
          agreedWithin(pair.archive.tree(), other.archive.tree()),
          within(pair.alpha.tree(), other.alpha.tree()),
          within(pair.beta.tree(), other.beta.tree()),
          wholeTouched,
          plainRules,
        )
        const moved = alone.map((decision) => ({
          ...decision,
          path: decision.path === '' ? 'd' : `d/${decision.path}`,
        }))
        expect(beside.filter(({ path }) => isWithin(path, relPath('d')))).toEqual(moved)
      }),
      runs,
    )
  })

  test('no invention: every content after a pass was on one of the sides before', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const before = contentsOf(pair.alpha, pair.beta)
        pass(pair, plainRules)
        for (const content of contentsOf(pair.alpha, pair.beta)) expect(before).toContain(content)
      }),
      runs,
    )
  })

  test('no loss: a content that is gone from a path was what the archive held there', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const before = copyOf(pair)
        pass(pair, plainRules)
        for (const side of ['alpha', 'beta'] as const)
          for (const [path, content] of before[side].contents) {
            const stays = [pair.alpha, pair.beta].some((disk) => compareContents(disk.at(path), content) === 'same')
            const known = before.archive.agreements.get(path)?.content ?? absent
            if (!stays) expect(compareContents(known, content)).toBe('same')
          }
      }),
      runs,
    )
  })

  test('persistence: a conflict left alone gives the same conflict for ever', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const first = conflictsIn(pass(pair, plainRules))
        // The pass may have settled other properties of the same path, so only path and subject are compared.
        const named = (decisions: readonly Decision[]): string[] => spoken(conflictsIn(decisions))
        expect(named(pass(pair, plainRules))).toEqual(named(first))
        expect(named(pass(pair, plainRules))).toEqual(named(first))
      }),
      runs,
    )
  })

  test('resolution: making both equal, or putting one side back to the archive, ends a conflict', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom<Side>('alpha', 'beta'), fc.boolean(), (pair, side, back) => {
        pass(pair, plainRules)
        const [conflict] = conflictsIn(decisionsOf(pair)).filter(
          (one) => one.kind === 'conflict' && one.about === 'content',
        )
        if (conflict === undefined) return
        const { path } = conflict
        const other = pair[otherSide(side)]
        const wanted: Iterable<readonly [RelPath, Content]> = back
          ? [...pair.archive.agreements].map(([at, known]) => [at, known.content] as const)
          : other.contents
        const copied = [...wanted].filter(([at]) => isWithin(at, path))
        pair[side].put(path, absent)
        for (const [at, content] of copied) pair[side].contents.set(at, content)
        const decisions = pass(pair, plainRules)
        const left = decisions.filter(
          (one) => one.kind === 'conflict' && one.about === 'content' && isWithin(one.path, path),
        )
        expect(left).toEqual([])
        expect(same(subtree(pair.alpha, path), subtree(pair.beta, path))).toBe(true)
      }),
      runs,
    )
  })

  test('first run: the union, with conflicts only where both have different things', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const pair = emptyPair()
        take(pair, taken)
        const before = copyOf(pair)
        const decisions = pass(pair, plainRules)
        const conflicts = decisions.filter((one) => one.kind === 'conflict' && one.about === 'content')
        for (const { path } of conflicts) {
          expect(before.alpha.at(path).kind).not.toBe('absent')
          expect(before.beta.at(path).kind).not.toBe('absent')
          expect(same(subtree(before.alpha, path), subtree(before.beta, path))).toBe(false)
        }
        const all = new Set([...before.alpha.contents.keys(), ...before.beta.contents.keys()])
        for (const path of all) {
          if (conflicts.some((conflict) => isWithin(path, conflict.path))) continue
          expect(pair.alpha.at(path).kind).not.toBe('absent')
          expect(pair.beta.at(path).kind).not.toBe('absent')
        }
        expect(pair.alpha.contents.size).toBeLessThanOrEqual(all.size)
      }),
      runs,
    )
  })

  test('maximality: every path outside conflicts is settled', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const conflicts = conflictsIn(pass(pair, plainRules)).map(({ path }) => path)
        const all = new Set([...pair.alpha.contents.keys(), ...pair.beta.contents.keys()])
        for (const path of all) {
          if (conflicts.some((conflict) => isWithin(path, conflict))) continue
          expect(compareContents(pair.alpha.at(path), pair.beta.at(path))).toBe('same')
          expect(compareContents(pair.archive.agreements.get(path)?.content ?? absent, pair.alpha.at(path))).toBe(
            'same',
          )
        }
      }),
      runs,
    )
  })

  test('what is not touched and did not change makes no difference', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const changed = new Set<string>()
        for (const disk of [pair.alpha, pair.beta]) {
          const all = new Set([...disk.contents.keys(), ...pair.archive.agreements.keys()])
          for (const path of all)
            if (!isAsAgreed(pair.archive.agreements.get(path)?.content ?? absent, disk.at(path))) changed.add(path)
        }
        const sparse = reconcile(
          pair.archive.tree(),
          pair.alpha.tree(),
          pair.beta.tree(),
          touchedAt([...changed]),
          plainRules,
        )
        expect(sparse.toSorted(byPath)).toEqual(decisionsOf(pair).toSorted(byPath))
      }),
      runs,
    )
  })
})

describe('laws of what is unsure', () => {
  const everyPath = fc.constantFrom(...['a', 'b', 'a/a', 'a/b', 'b/a', 'a/a/a', 'a/b/a', 'c/c'].map(relPath))

  test('nothing is removed at, above or below a problem, and no ancestor is replaced', () => {
    fc.assert(
      fc.property(pairs, everyPath, fc.constantFrom<Side>('alpha', 'beta'), (pair, path, side) => {
        if (pair[side].at(parentOf(path)).kind !== 'directory') return
        const decisions = decisionsWith(pair, path, side)
        for (const operation of planOf(decisions, plainRules)[side]) {
          expect(isWithin(operation.path, path)).toBe(false)
          if (operation.op === 'remove') expect(isWithin(path, operation.path)).toBe(false)
        }
        for (const operation of planOf(decisions, plainRules)[otherSide(side)])
          expect(
            isWithin(operation.path, path) &&
              operation.op === 'remove' &&
              pair[side].at(parentOf(path)).kind === 'directory',
          ).toBe(false)
      }),
      runs,
    )
  })

  test('a problem changes nothing beside it while its parents are directories on both sides', () => {
    fc.assert(
      fc.property(pairs, everyPath, fc.constantFrom<Side>('alpha', 'beta'), (pair, path, side) => {
        if (pair.alpha.at(parentOf(path)).kind !== 'directory' || pair.beta.at(parentOf(path)).kind !== 'directory')
          return
        const beside = (decisions: readonly Decision[]): Decision[] =>
          decisions.filter((one) => !isWithin(one.path, path))
        expect(beside(decisionsWith(pair, path, side))).toEqual(beside(decisionsOf(pair)))
      }),
      runs,
    )
  })

  function decisionsWith(pair: Pair, path: RelPath, side: Side): Decision[] {
    const troubled = (at: RelPath): Tree => {
      const { found, names, member } = pair[side].tree(at)
      if (at === path) return { found: problem, names: () => [], member: () => member('none') }
      return {
        found,
        names: () => [
          ...new Set([
            ...names(),
            ...(parentOf(path) === at && at !== path ? [path.slice(at === '' ? 0 : at.length + 1)] : []),
          ]),
        ],
        member: (name) => troubled(join(at, name)),
      }
    }
    const trees = { alpha: pair.alpha.tree(), beta: pair.beta.tree(), [side]: troubled(rootPath) }
    return reconcile(pair.archive.tree(), trees.alpha, trees.beta, wholeTouched, plainRules)
  }

  test('reading what is asked for, and no more, leads to the same end', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const blind = copyOf(pair)
        const full = copyOf(pair)
        for (const disk of [blind.alpha, blind.beta])
          for (const [path, content] of disk.contents)
            if (content.kind === 'file') disk.contents.set(path, { ...content, fingerprint: undefined })
        // One round is enough: the question is the same whether one side or both are asked.
        for (const decision of decisionsOf(blind))
          if (decision.kind === 'unread')
            for (const side of decision.sides) {
              expect(blind[side].at(decision.path)).toMatchObject({ kind: 'file', fingerprint: undefined })
              blind[side].contents.set(decision.path, full[side].at(decision.path))
            }
        const decisions = decisionsOf(blind)
        expect(decisions.filter(({ kind }) => kind === 'unread')).toEqual([])
        expect(withoutFingerprints(planOf(decisions, plainRules))).toEqual(
          withoutFingerprints(planOf(decisionsOf(full), plainRules)),
        )
      }),
      runs,
    )
  })
})

describe('laws of prefer', () => {
  const besides = (decisions: readonly Decision[]): string[] => spoken(decisions.filter((one) => one.kind === 'settle'))

  test('a root that is preferred leaves no conflict and wins each', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom<Side>('alpha', 'beta'), (pair, prefer) => {
        const conflicts = conflictsIn(decisionsOf(pair)).filter(
          (one) => one.kind === 'conflict' && one.about === 'content',
        )
        const before = copyOf(pair)
        const decisions = pass(pair, { ...plainRules, prefer })
        expect(conflictsIn(decisions)).toEqual([])
        for (const { path } of conflicts)
          expect(subtree(pair[otherSide(prefer)], path)).toEqual(subtree(before[prefer], path))
        expect(compared(pair.alpha)).toEqual(compared(pair.beta))
      }),
      runs,
    )
  })

  test('what does not conflict is decided as without', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom<Rules['prefer']>('alpha', 'beta', 'newer', 'older'), (pair, prefer) => {
        const plain = decisionsOf(pair)
        const conflicts = conflictsIn(plain).map(({ path }) => path)
        const away = (decisions: readonly Decision[]): Decision[] =>
          decisions.filter(({ path }) => !conflicts.some((conflict) => isWithin(path, conflict)))
        expect(away(decisionsOf(pair, { ...plainRules, prefer }))).toEqual(away(plain))
      }),
      runs,
    )
  })

  test('newer is symmetric, and idempotent', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom<Rules['prefer']>('newer', 'older'), (pair, prefer) => {
        const rules = { ...plainRules, prefer }
        const mirror = { archive: copyOf(pair).archive, alpha: pair.beta.copy(), beta: pair.alpha.copy() }
        pass(pair, rules)
        pass(mirror, rules)
        expect(mirror.alpha.contents).toEqual(pair.beta.contents)
        expect(mirror.beta.contents).toEqual(pair.alpha.contents)
        expect(besides(decisionsOf(pair, rules))).toEqual([])
      }),
      runs,
    )
  })
})

describe('laws of force', () => {
  const sides = fc.constantFrom<Side>('alpha', 'beta')

  test('a root that is forced is not changed, and the other one becomes like it', () => {
    fc.assert(
      fc.property(pairs, sides, (pair, force) => {
        const before = copyOf(pair)
        const decisions = pass(pair, { ...plainRules, force })
        expect(conflictsIn(decisions)).toEqual([])
        expect(pair[force].contents).toEqual(before[force].contents)
        expect(compared(pair[otherSide(force)])).toEqual(compared(before[force]))
        expect(decisionsOf(pair, { ...plainRules, force })).toEqual([])
        // And then nothing is left to say without it.
        expect(decisionsOf(pair)).toEqual([])
      }),
      runs,
    )
  })

  test('whatever was said for conflicts makes no difference', () => {
    fc.assert(
      fc.property(
        pairs,
        sides,
        fc.constantFrom<Rules['prefer']>('alpha', 'beta', 'newer', 'older'),
        (pair, force, prefer) => {
          expect(decisionsOf(pair, { ...plainRules, force, prefer })).toEqual(
            decisionsOf(pair, { ...plainRules, force }),
          )
        },
      ),
      runs,
    )
  })

  test('newer and older are symmetric and idempotent, and no deletion or creation is undone where nobody objects', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom<Rules['force']>('newer', 'older'), (pair, force) => {
        const rules = { ...plainRules, force }
        const before = copyOf(pair)
        const mirror = { archive: copyOf(pair).archive, alpha: pair.beta.copy(), beta: pair.alpha.copy() }
        pass(pair, rules)
        pass(mirror, rules)
        expect(mirror.alpha.contents).toEqual(pair.beta.contents)
        expect(mirror.beta.contents).toEqual(pair.alpha.contents)
        expect(decisionsOf(pair, rules).filter(({ kind }) => kind === 'settle')).toEqual([])
        const plain = reconcile(
          before.archive.tree(),
          before.alpha.tree(),
          before.beta.tree(),
          wholeTouched,
          plainRules,
        )
        for (const decision of plain) {
          if (decision.kind !== 'settle' || (decision.alpha.kind !== 'absent' && decision.beta.kind !== 'absent'))
            continue
          if (parentOf(decision.path) !== rootPath) continue
          expect(compareContents(pair.alpha.at(decision.path), decision.goal)).toBe('same')
          expect(compareContents(pair.beta.at(decision.path), decision.goal)).toBe('same')
        }
      }),
      runs,
    )
  })
})

describe('laws of what is overridden', () => {
  const deciding: fc.Arbitrary<Partial<Rules>> = fc.oneof(
    fc.constantFrom<Rules['prefer']>('alpha', 'beta', 'newer').map((prefer) => ({ prefer })),
    fc.constantFrom<Rules['force']>('alpha', 'beta', 'newer', 'older').map((force) => ({ force })),
  )

  test('a version that only one side had, and that was not agreed there, is never lost without saying whose it was', () => {
    fc.assert(
      fc.property(pairs, deciding, (pair, decided) => {
        const before = copyOf(pair)
        const decisions = pass(pair, { ...plainRules, ...decided })
        for (const side of ['alpha', 'beta'] as const)
          for (const [path, content] of before[side].contents) {
            if (content.kind === 'directory' || compareContents(pair[side].at(path), content) === 'same') continue
            if (compareContents(before.archive.agreements.get(path)?.content ?? absent, content) === 'same') continue
            const told = decisions.some(
              (one) => one.kind === 'settle' && one.overridden === side && isWithin(path, one.path),
            )
            expect(told).toBe(true)
          }
      }),
      runs,
    )
  })

  test('nothing is overridden where nobody is preferred', () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        for (const one of decisionsOf(pair)) expect(one).not.toHaveProperty('overridden')
      }),
      runs,
    )
  })

  test('who is forced to win what is his anyway overrides nobody', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom<Side>('alpha', 'beta'), (pair, force) => {
        const plain = new Set(spoken(decisionsOf(pair)))
        for (const one of decisionsOf(pair, { ...plainRules, force }))
          if (one.kind === 'settle' && one.overridden !== undefined) expect(plain).not.toContain(spoken([one])[0])
      }),
      runs,
    )
  })
})

describe('laws of restrictions', () => {
  const restrictions: readonly Restriction[] = ['nocreation', 'noupdate', 'nodeletion']
  const deciding: fc.Arbitrary<Partial<Rules>> = fc.oneof(
    fc.constant({}),
    fc.constantFrom<Rules['prefer']>('alpha', 'beta', 'newer').map((prefer) => ({ prefer })),
    fc.constantFrom<Rules['force']>('alpha', 'beta', 'newer').map((force) => ({ force })),
  )
  /** Some restrictions of some sides, each everywhere or at every path that ends in one of these letters. */
  const sparing: fc.Arbitrary<NonNullable<Rules['spares']>> = fc
    .uniqueArray(
      fc.record({
        side: fc.constantFrom<Side>('alpha', 'beta'),
        restriction: fc.constantFrom(...restrictions),
        ends: fc.constantFrom('abc', 'a', 'b'),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map(
      (all) => (side, restriction, path) =>
        all.some(
          (one) =>
            one.side === side &&
            one.restriction === restriction &&
            (one.ends === 'abc' || one.ends.includes(path.slice(-1) || '.')),
        ),
    )

  test('whatever the history and whoever wins, a side is never changed in a way that it is spared', () => {
    fc.assert(
      fc.property(rounds, deciding, sparing, (history, decided, spares) => {
        const pair = emptyPair()
        const rules: Rules = { ...plainRules, ...decided, spares }
        for (const round of history) {
          take(pair, round)
          const before = copyOf(pair)
          pass(pair, rules)
          for (const side of ['alpha', 'beta'] as const) expectSpared(before[side], pair[side], side, spares)
        }
      }),
      { numRuns: 800 },
    )
  })

  function expectSpared(before: Disk, after: Disk, side: Side, spares: NonNullable<Rules['spares']>): void {
    for (const path of new Set([...before.contents.keys(), ...after.contents.keys()])) {
      const [was, is] = [before.at(path), after.at(path)]
      if (was.kind === 'absent') {
        if (spares(side, 'nocreation', path)) expect(is).toEqual(was)
        continue
      }
      if (spares(side, 'noupdate', path)) expect(is).toEqual(was)
      if (spares(side, 'nodeletion', path)) expect(is.kind).toBe(was.kind)
    }
  }

  test('what waits stays the same, and is settled as ever once nothing is spared', () => {
    fc.assert(
      fc.property(pairs, deciding, sparing, (pair, decided, spares) => {
        const rules: Rules = { ...plainRules, ...decided, spares }
        const free = copyOf(pair)
        pass(pair, rules)
        const again = decisionsOf(pair, rules)
        expect(again.filter(({ kind }) => kind === 'settle')).toEqual([])
        pass(pair, rules)
        expect(decisionsOf(pair, rules)).toEqual(again)

        pass(pair, { ...plainRules, ...decided })
        pass(free, { ...plainRules, ...decided })
        expect(diskNode(pair.alpha)).toEqual(diskNode(free.alpha))
        expect(diskNode(pair.beta)).toEqual(diskNode(free.beta))
      }),
      runs,
    )
  })

  test('spared in every way, no side is changed at all', () => {
    fc.assert(
      fc.property(pairs, deciding, (pair, decided) => {
        const before = copyOf(pair)
        pass(pair, { ...plainRules, ...decided, spares: () => true })
        expect(pair.alpha.contents).toEqual(before.alpha.contents)
        expect(pair.beta.contents).toEqual(before.beta.contents)
      }),
      runs,
    )
  })

  test('no file that is too large travels, whoever wins', () => {
    fc.assert(
      fc.property(pairs, deciding, (pair, decided) => {
        const before = copyOf(pair)
        pass(pair, { ...plainRules, ...decided, tooLargeBytes: 2 })
        for (const side of ['alpha', 'beta'] as const)
          for (const [path, content] of pair[side].contents)
            if (content.kind === 'file' && content.sizeBytes >= 2)
              expect(compareContents(before[side].at(path), content)).toBe('same')
      }),
      runs,
    )
  })
})

test('a tree drawn by hand and one on a disk are the same to the reconciler', () => {
  const pair = emptyPair()
  const step: Step = { side: 'alpha', path: relPath('a'), content: directory(), mode: 0o755, mtimeNs: 1n }
  take(pair, [step])
  expect(decisionsOf(pair)).toEqual(reconcile(agreed(undefined), tree({ a: {} }), tree({}), wholeTouched, plainRules))
})

function subtree(disk: Disk, path: RelPath): Node {
  const inside = [...disk.contents].filter(([at]) => isWithin(at, path))
  const nodes = inside.map(([at, content]): [string, Node] => [
    at.slice(path.length),
    JSON.stringify(bare([at, content])[1]),
  ])
  return Object.fromEntries(nodes)
}

function withoutFingerprints(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) =>
    key === 'fingerprint' ? undefined : typeof inner === 'bigint' ? String(inner) : inner,
  )
}

/** Without properties. */
function bare([path, content]: readonly [RelPath, Content]): [RelPath, unknown] {
  return [
    path,
    content.kind === 'file' ? content.fingerprint : content.kind === 'symlink' ? content.target : content.kind,
  ]
}

/** As the plain rules compare it. */
function compared(disk: Disk): Map<RelPath, unknown> {
  const seen = new Map<RelPath, unknown>()
  for (const [path, content] of [...disk.contents].sort())
    seen.set(
      path,
      content.kind === 'file'
        ? { ...content, props: { ...content.props, mode: (content.props.mode ?? 0) & plainRules.perms } }
        : content.kind === 'directory'
          ? (content.props.mode ?? 0) & plainRules.perms
          : content,
    )
  return seen
}

function isAsAgreed(known: Content, content: Content): boolean {
  if (known.kind !== content.kind) return false
  if (content.kind === 'symlink' || content.kind === 'absent') return compareContents(known, content) === 'same'
  if (known.kind === 'symlink' || known.kind === 'absent') return false
  const mask = plainRules.perms
  return (
    compareContents(known, content) === 'same' &&
    known.props.mode === ((content.props.mode ?? 0) & mask) &&
    (content.kind === 'directory' || known.props.mtimeNs === content.props.mtimeNs)
  )
}

function byPath(one: Decision, other: Decision): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : one.kind < other.kind ? -1 : 1
}
