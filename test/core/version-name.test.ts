import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeName, type RelPath, relPath } from '../../src/core/path.js'
import { versionAt, versionPlace } from '../../src/core/version-name.js'

const atNs = BigInt(Date.parse('2026-11-22T14:30:12.345Z')) * 1_000_000n
const long = `${'x'.repeat(240)}.txt`

const rows: [what: string, path: string, count: number, place: string][] = [
  ['a file', 'todo', 1, '2026-11-22/todo~20261122T143012.345Z'],
  ['its ending stays', 'notes/todo.txt', 1, '2026-11-22/notes/todo~20261122T143012.345Z.txt'],
  ['a second one of that moment', 'notes/todo.txt', 2, '2026-11-22/notes/todo~20261122T143012.345Z-2.txt'],
  ['a leading dot is no ending', '.profile', 1, '2026-11-22/.profile~20261122T143012.345Z'],
  ['a long ending is none', 'a.quite-a-long-ending', 1, '2026-11-22/a.quite-a-long-ending~20261122T143012.345Z'],
  ['a name that has no room for the mark', `d/${long}`, 1, `2026-11-22/d/${long}/~20261122T143012.345Z.txt`],
]

test.each(rows)('%s', (_, path, count, place) => {
  const { directory, name } = versionPlace(relPath(path), atNs, count)
  expect(`${directory}/${name}`).toBe(place)
  expect(versionAt({ directory, name })).toEqual({ path, untilNs: atNs })
})

const names = fc.oneof(
  fc.constantFrom('a', 'a.txt', '.a', 'a~20261122T143012.345Z.txt', '~', '~20261122T143012.345Z', '2026-11-22', long),
  fc.stringMatching(/^[a~.TZ\d]{1,255}$/).filter((name) => name !== '.' && name !== '..'),
)

test('every path is told by the place of its version, and no two paths share one', () => {
  fc.assert(
    fc.property(fc.array(names, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 12 }), (parts, count) => {
      const path = relPath(parts.join('/'))
      const place = versionPlace(path, atNs, count)
      expect(versionAt(place)).toEqual({ path, untilNs: atNs })
      expect(encodeName(place.name).length).toBeLessThanOrEqual(255)
    }),
  )
})

test('what somebody else put there is none of ours', () => {
  for (const [directory, name] of [
    ['2026-11-22', 'todo'],
    ['2026-11-21', 'todo~20261122T143012.345Z'],
    ['2026-11-22', 'todo~20261322T143012.345Z'],
    ['', 'stray-1.2'],
  ])
    expect(versionAt({ directory: directory as RelPath, name: name ?? '' })).toBeUndefined()
})
