import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DirtyScopes } from '../../src/core/dirty.js'
import { isWithin, relPath } from '../../src/core/path.js'

describe('dirty scopes', () => {
  const of = (...added: [string, 'entry' | 'subtree', number?][]): DirtyScopes => {
    const dirty = new DirtyScopes()
    for (const [path, depth, due] of added) dirty.add(relPath(path), depth, due)
    return dirty
  }
  const taken = (dirty: DirtyScopes, now?: number): string[] =>
    dirty.take(now).map(({ path, depth }) => `${path}${depth === 'subtree' ? '/' : ''}`)

  test('what was added is taken once', () => {
    const dirty = of(['a', 'entry'], ['b/c', 'subtree'])
    expect(dirty.size).toBe(2)
    expect(taken(dirty).sort()).toEqual(['a', 'b/c/'])
    expect([dirty.size, dirty.dueAt, taken(dirty)]).toEqual([0, undefined, []])
  })
  test('the same path twice is one scope', () => {
    expect(of(['a', 'entry'], ['a', 'entry']).size).toBe(1)
    expect(taken(of(['a', 'entry'], ['a', 'subtree']))).toEqual(['a/'])
    expect(taken(of(['a', 'subtree'], ['a', 'entry']))).toEqual(['a/'])
  })
  test('a subtree absorbs what is beneath, before and after', () => {
    expect(taken(of(['a/b', 'entry'], ['a/b/c', 'subtree'], ['ab', 'entry'], ['a', 'subtree'])).sort()).toEqual([
      'a/',
      'ab',
    ])
    expect(taken(of(['a', 'subtree'], ['a/b', 'entry'], ['a/b/c', 'subtree']))).toEqual(['a/'])
    expect(taken(of(['a', 'entry'], ['b/c', 'subtree'], ['', 'subtree']))).toEqual(['/'])
  })
  test('an entry absorbs nothing', () => {
    expect(taken(of(['a', 'entry'], ['a/b', 'entry']))).toEqual(['a', 'a/b'])
  })
  test('covers what was added and what is in a subtree', () => {
    const dirty = of(['a', 'subtree'], ['b', 'entry'])
    expect(['a', 'a/x/y', 'b'].filter((path) => !dirty.covers(relPath(path)))).toEqual([])
    expect(['', 'b/x', 'c', 'ab'].filter((path) => dirty.covers(relPath(path)))).toEqual([])
  })
  test('only what is due is taken', () => {
    const dirty = of(['a', 'entry', 10], ['b', 'entry', 20], ['c', 'entry'])
    expect(dirty.dueAt).toBe(Number.NEGATIVE_INFINITY)
    expect(taken(dirty, 10)).toEqual(['a', 'c'])
    expect([dirty.size, dirty.dueAt]).toEqual([1, 20])
    expect(taken(dirty, 19)).toEqual([])
    expect(taken(dirty, 20)).toEqual(['b'])
  })
  test('the earlier time counts', () => {
    expect(of(['a', 'entry', 20], ['a', 'entry', 10]).dueAt).toBe(10)
    expect(of(['a', 'entry', 10], ['a', 'entry', 20]).dueAt).toBe(10)
  })
  test('a subtree in back-off holds up nothing that is due before', () => {
    const dirty = of(['a', 'subtree', 50], ['a/b', 'entry', 10], ['a/c', 'entry', 60])
    expect(dirty.size).toBe(2)
    expect(taken(dirty, 10)).toEqual(['a/b'])
    expect(taken(dirty, 50)).toEqual(['a/'])
    expect(dirty.size).toBe(0)
  })
  test('a subtree that is taken takes along what was due before', () => {
    const dirty = of(['a', 'subtree', 50], ['a/b', 'entry', 10], ['a/b/c', 'subtree', 5])
    expect(taken(dirty, 50)).toEqual(['a/'])
    expect([dirty.size, dirty.dueAt]).toEqual([0, undefined])
  })

  test('law: what is taken by some time covers all that was due, and nothing that was not added', () => {
    const scope = fc.record({
      path: fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }).map((names) => relPath(names.join('/'))),
      depth: fc.constantFrom<'entry' | 'subtree'>('entry', 'subtree'),
      due: fc.integer({ min: 0, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 12 }), (scopes) => {
        const dirty = new DirtyScopes()
        for (const { path, depth, due } of scopes) dirty.add(path, depth, due)
        expect(dirty.dueAt).toBe(scopes.length === 0 ? undefined : Math.min(...scopes.map(({ due }) => due)))
        for (let now = 0; now <= 3; now++) {
          const before = dirty.size
          const due = scopes.filter((one) => one.due <= now)
          const got = dirty.take(now)
          if (now === 0)
            for (const { path, depth } of due)
              expect(
                got.some((one) =>
                  one.depth === 'subtree' ? isWithin(path, one.path) : depth === 'entry' && one.path === path,
                ),
              ).toBe(true)
          for (const one of got)
            expect(due.some(({ path, depth }) => path === one.path && depth === one.depth)).toBe(true)
          expect(dirty.size).toBeLessThanOrEqual(before - got.length)
        }
        expect([dirty.size, dirty.take()]).toEqual([0, []])
      }),
      { numRuns: 1_000 },
    )
  })
})
