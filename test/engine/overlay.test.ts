import { describe, expect, test } from 'vitest'
import { heldBy } from '../../src/core/agreement.js'
import { relPath } from '../../src/core/path.js'
import type { Member, Report } from '../../src/core/report.js'
import type { Tree } from '../../src/core/tree.js'
import { Overlay, outermostOf } from '../../src/engine/overlay.js'
import { agreed, type Drawn, file, foundOf, tree } from '../core/fixtures.js'

/** The path itself. */
const entry = (path: string, drawn: Drawn): Report => ({ kind: 'entry', path: relPath(path), found: foundOf(drawn) })
/** All members of a directory. */
const listing = (path: string, members: { readonly [name: string]: Drawn }, more = false): Report => ({
  kind: 'listing',
  path: relPath(path),
  members: Object.entries(members).map(([name, drawn]): Member => ({ name, found: foundOf(drawn) })),
  more,
})

/** What was agreed. */
const O = { f: 'v1', d: { x: 'v1', y: 'v1', e: { z: 'v1' } } } as const

const rows: readonly [what: string, reports: readonly Report[], d: Drawn][] = [
  ['nothing was reported: as agreed', [], O.d],
  ['an entry replaces what was agreed there, and nothing else', [entry('d/x', 'v2')], { ...O.d, x: 'v2' }],
  ['the later entry counts', [entry('d/x', 'v2'), entry('d/x', 'v3')], { ...O.d, x: 'v3' }],
  ['an absent entry is a member less', [entry('d/x', undefined)], { y: 'v1', e: O.d.e }],
  ['an entry that says directory says nothing of the members', [entry('d', {})], O.d],
  ['a file in the place of a directory has nothing below', [entry('d', 'v2')], 'v2'],
  ['a problem keeps what was known below, out of sight', [entry('d', '!')], '!'],
  ['a listing is complete: a name it lacks is absent', [listing('d', { x: 'v1' })], { x: 'v1' }],
  ['an empty listing is an empty directory', [listing('d', {})], {}],
  ['below what a listing names nothing is said', [listing('d', { e: {} })], { e: O.d.e }],
  [
    'a listing that goes on is concluded with its end',
    [listing('d', { x: 'v1' }, true), listing('d', { y: 'v1' })],
    { x: 'v1', y: 'v1' },
  ],
  ['a listing replaces entries of before', [entry('d/new', 'n'), listing('d', { x: 'v1' })], { x: 'v1' }],
  ['an entry after a listing adds to it', [listing('d', { x: 'v1' }), entry('d/n', 'n')], { x: 'v1', n: 'n' }],
  ['an entry after a listing takes from it', [listing('d', { x: 'v1' }), entry('d/x', undefined)], {}],
  [
    'a shallow listing leaves what was reported deeper',
    [entry('d/e/z', 'v2'), listing('d', { e: {} })],
    { e: { z: 'v2' } },
  ],
  [
    'what was reported below a directory that went does not come back with another one',
    [entry('d/e/n', 'n'), entry('d/e', undefined), entry('d/e', {}), listing('d/e', {})],
    { x: 'v1', y: 'v1', e: {} },
  ],
  [
    'neither when a listing told that it went',
    [entry('d/e/n', 'n'), listing('d', { x: 'v1' }), entry('d/e', {}), listing('d/e', {})],
    { x: 'v1', e: {} },
  ],
  [
    'nor what was listed below it: nothing is said of the members of the new one',
    [listing('d/e', {}), entry('d', undefined), entry('d', {}), entry('d/e', {})],
    O.d,
  ],
]

describe.each(['alpha', 'beta'] as const)('what %s holds', (side) => {
  test.each(rows)('%s', (_, reports, d) => {
    const overlay = new Overlay()
    overlay.note(side, reports)
    const agreement = agreed(O)
    expect(drawnOf(overlay.tree(side, agreement).member('d'))).toEqual(drawnOf(tree(d)))
    // The other side said nothing.
    const other = side === 'alpha' ? 'beta' : 'alpha'
    expect(drawnOf(overlay.tree(other, agreement))).toEqual(drawnOf(tree(O)))
  })
})

test('a listing that was cut off is unfinished, until it ends or its directory goes', () => {
  const overlay = new Overlay()
  overlay.note('alpha', [listing('d', { x: 'v1' }, true)])
  expect(overlay.isUnfinished).toBe(true)
  overlay.note('alpha', [entry('d', 'v2')])
  expect(overlay.isUnfinished).toBe(false)
  overlay.note('alpha', [listing('d', { x: 'v1' }, true), entry('', 'f')])
  expect(overlay.isUnfinished).toBe(false)
})

const touches: readonly [reported: string, path: string, touched: boolean][] = [
  ['d/x', 'd/x', true],
  ['d/x', 'd', true],
  ['d/x', '', true],
  ['d/x', 'd/x/below', true],
  ['d/x', 'd/y', false],
  ['d/x', 'f', false],
]

test.each(touches)('a report of %j touches %j: %s', (reported, path, touched) => {
  const overlay = new Overlay()
  overlay.note('beta', [entry(reported, 'v2')])
  expect(overlay.touches(relPath(path))).toBe(touched)
})

test('of a listed directory every agreed member is touched, gone or not', () => {
  const overlay = new Overlay()
  overlay.note('alpha', [listing('d', { x: 'v1' })])
  const touched = overlay.touched(agreed(O)).member('d')
  expect([...(touched?.names() ?? [])].sort()).toEqual(['e', 'x', 'y'])
  expect(touched?.member('e')?.whole).toBe(true)
})

test('a side holds what it could hold, not what was agreed', () => {
  const content = file('v1', 0o644, 5n)
  const alphaHolds = { mode: 0o4644, mtimeNs: 4n }
  const agreement = { content, alphaHolds, betaHolds: undefined }
  expect(heldBy('alpha', agreement)).toEqual({ ...content, props: alphaHolds })
  expect(heldBy('beta', agreement)).toEqual(content)
  expect(heldBy('beta', undefined)).toEqual({ kind: 'absent' })
})

test('the outermost of some paths', () => {
  const paths = ['a/b', 'a-b', 'a', 'a/b/c', 'b/c', 'b/cd'].map(relPath)
  expect(outermostOf(paths)).toEqual(['a', 'a-b', 'b/c', 'b/cd'])
  expect(outermostOf(['x', ''].map(relPath))).toEqual([''])
})

/** A tree as plain data. */
function drawnOf(tree: Tree): unknown {
  if (tree.found.kind !== 'directory') return tree.found
  const names = [...tree.names()].sort()
  expect(new Set(names).size).toBe(names.length)
  return Object.fromEntries(names.map((name) => [name, drawnOf(tree.member(name))]))
}

test.each<[what: string, reports: readonly Report[], tells: boolean]>([
  ['nothing was reported', [], false],
  ['something new, and something else in its place', [entry('d/n', 'n'), entry('d/x', 'v2'), entry('f', {})], false],
  ['it is gone', [entry('d/x', undefined)], true],
  ['a listing may lack it', [listing('d', { x: 'v1' })], true],
])('an overlay tells of absence only where a root did: %s', (_, reports, tells) => {
  const overlay = new Overlay()
  overlay.note('alpha', reports)
  expect(overlay.tellsOfAbsence).toBe(tells)
})

const moved = (path: string, from: string): Report => ({ kind: 'moved', path: relPath(path), from: relPath(from) })

test('what was reported in a directory goes along when its user renames it, moves into it too', () => {
  const overlay = new Overlay()
  overlay.note('beta', [entry('f', undefined), entry('d/g', {}), moved('d/g', 'f'), entry('d/new', 'n')])
  overlay.note('beta', [entry('d', undefined), entry('h', {}), moved('h', 'd')])
  expect([...overlay.hints.beta]).toEqual([
    ['h/g', 'f'],
    ['h', 'd'],
  ])
  const at = (path: string) =>
    path.split('/').reduce((above, name) => above.member(name), overlay.tree('beta', agreed(O)))
  expect(['h/g', 'h/new', 'd/new', 'd'].map((path) => at(path).found.kind)).toEqual([
    'directory',
    'file',
    'absent',
    'absent',
  ])
})

test('what is reported at the old place after a rename is of something else', () => {
  const overlay = new Overlay()
  overlay.note('beta', [entry('d', undefined), entry('h', {}), moved('h', 'd')])
  overlay.note('beta', [entry('d', {}), entry('d/new', 'n')])
  overlay.note('beta', [moved('h', 'd')])
  expect(overlay.tree('beta', agreed(O)).member('d').member('new').found.kind).toBe('file')
  expect(overlay.tree('beta', agreed(O)).member('h').member('new').found.kind).toBe('absent')
})

test('a rename over an empty directory: what was listed there is not what is there now', () => {
  const overlay = new Overlay()
  overlay.note('alpha', [entry('h', {}), listing('h', {})])
  overlay.note('alpha', [entry('d', undefined), entry('h', {}), moved('h', 'd')])
  expect(overlay.isListed('alpha', relPath('h'))).toBe(false)
})

test('two renames in one scan, the later onto the old place of the earlier: neither directory takes what was reported of the other', () => {
  const overlay = new Overlay()
  overlay.note('beta', [entry('d.new', {}), listing('d.new', { x: 'n' })])
  overlay.note('beta', [
    entry('d.new', undefined),
    entry('d', {}),
    moved('d', 'd.new'),
    entry('d.old', {}),
    moved('d.old', 'd'),
  ])
  expect([overlay.isListed('beta', relPath('d')), overlay.isListed('beta', relPath('d.old'))]).toEqual([false, false])
  const beta = overlay.tree('beta', agreed(O))
  expect([beta.member('d').member('x').found.kind, beta.member('d.old').member('x').found.kind]).toEqual([
    'file',
    'absent',
  ])
})
