import * as fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { absent, type Content } from '../../../src/core/content.js'
import type { Operation, Outcome } from '../../../src/core/operation.js'
import { relPath, rootPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { openIndex } from '../../../src/index/index.js'
import { scanJob } from '../../../src/replica/jobs/scan.js'
import { BytesReader } from '../../../src/wire/bytes.js'
import { readReports } from '../../../src/wire/report.js'
import { type Fixture, freshRoot, makeDirectory, pair, writeFile } from './fixture.js'
import { Crash } from './stepping.js'

function rename(root: Fixture, from: string, path: string, expect: Content = root.content(from)): Operation {
  return { op: 'rename', path: relPath(path), from: relPath(from), expect }
}

function withFiles(files: Readonly<Record<string, string>>): Fixture {
  const root = freshRoot()
  for (const [path, text] of Object.entries(files)) root.write(path, text)
  root.scan(Object.keys(files))
  return root
}

/** The index as a tree of kinds, from the root down. */
function indexed(root: Fixture): Record<string, string> {
  const index = openIndex(root.world, root.place.index)
  const found: Record<string, string> = {}
  const walk = (id: number, path: string) => {
    for (const { name, record } of index.members(id)) {
      const at = path === '' ? name : `${path}/${name}`
      found[at] = record.kind
      if (record.directoryId !== 0) walk(record.directoryId, at)
    }
  }
  walk(index.directoryId(rootPath) ?? -1, '')
  return found
}

describe('a rename', () => {
  test('of a directory takes everything in it along, known or not, and its records', () => {
    const root = withFiles({ 'd/e/f': 'f', 'd/g': 'g' })
    root.write('d/ignored', 'i')
    const before = root.record('d')?.directoryId
    const applied = root.apply([rename(root, 'd', 'n')])
    expect(applied.outcomes).toMatchObject([{ kind: 'done', path: 'n', from: 'd', content: { kind: 'directory' } }])
    expect(root.tree()).toEqual({ n: '/', 'n/e': '/', 'n/e/f': 'f', 'n/g': 'g', 'n/ignored': 'i' })
    expect(indexed(root)).toEqual({ n: 'directory', 'n/e': 'directory', 'n/e/f': 'file', 'n/g': 'file' })
    expect(root.record('n')?.directoryId).toBe(before)
    expect(root.record('n')?.ctimeNs).toBe(root.stat('n').ctimeNs)
    expect(applied.last).toBeGreaterThanOrEqual(applied.first)
  })

  test('of a file keeps its fingerprint under the stamp that the rename made', () => {
    const root = withFiles({ f: 'text' })
    const applied = root.apply([rename(root, 'f', 'g')])
    expect(applied.outcomes).toEqual([{ kind: 'done', path: 'g', from: 'f', content: root.content('g') }])
    expect(root.record('f')).toBeUndefined()
    expect(root.record('g')).toMatchObject({
      racy: false,
      fingerprint: root.fingerprint('g'),
      ctimeNs: root.stat('g').ctimeNs,
    })
  })

  test('of a file that was edited and not seen yet takes the edit along, and the index still knows the old one', () => {
    const root = withFiles({ f: 'text' })
    const expected = root.content('f')
    root.write('f', 'edited', 5n)
    const old = root.record('f')
    expect(root.apply([rename(root, 'f', 'g', expected)]).outcomes).toMatchObject([{ kind: 'done' }])
    expect(root.tree()).toEqual({ g: 'edited' })
    expect(root.record('g')).toMatchObject({ fingerprint: old?.fingerprint, mtimeNs: old?.mtimeNs })
  })

  test('into a directory that is made by the same batch', () => {
    const root = withFiles({ 'd/f': 'f' })
    const applied = root.apply([makeDirectory('n', 0o755), rename(root, 'd', 'n/d')])
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(['done', 'done'])
    expect(root.tree()).toEqual({ n: '/', 'n/d': '/', 'n/d/f': 'f' })
    expect(indexed(root)).toEqual({ n: 'directory', 'n/d': 'directory', 'n/d/f': 'file' })
  })

  test('of names that differ only in case', () => {
    const root = withFiles({ 'd/f': 'f' })
    expect(root.apply([rename(root, 'd', 'D')]).outcomes).toMatchObject([{ kind: 'done' }])
    expect(root.tree()).toEqual({ D: '/', 'D/f': 'f' })
  })

  const refused: readonly [string, (root: Fixture) => void, Operation['path'], Partial<Outcome>][] = [
    ['onto something that was made meanwhile', (root) => root.write('n', 'new'), relPath('n'), { kind: 'superseded' }],
    ['of what is gone', (root) => fs.rmSync(root.abs('d'), { recursive: true }), relPath('n'), { kind: 'superseded' }],
    [
      'of what was replaced by another directory',
      (root) => {
        fs.renameSync(root.abs('d'), root.abs('old'))
        fs.mkdirSync(root.abs('d'))
      },
      relPath('n'),
      { kind: 'superseded' },
    ],
    [
      'of what is a file now',
      (root) => {
        fs.rmSync(root.abs('d'), { recursive: true })
        root.write('d', 'a file')
      },
      relPath('n'),
      { kind: 'superseded' },
    ],
    ['into a directory that is not there', () => {}, relPath('gone/n'), { kind: 'superseded' }],
    ['into itself', () => {}, relPath('d/n'), { kind: 'failed' }],
    ['into the private folder', () => {}, relPath('.tandem/n'), { kind: 'failed' }],
  ]
  test.each(refused)('%s is not done, and changes nothing', (_, meanwhile, path, outcome) => {
    const root = withFiles({ 'd/f': 'f' })
    const operation: Operation = { op: 'rename', path, from: relPath('d'), expect: root.content('d') }
    meanwhile(root)
    const tree = root.tree()
    expect(root.apply([operation]).outcomes).toMatchObject([outcome])
    expect(root.tree()).toEqual(tree)
    expect(indexed(root)).toEqual({ d: 'directory', 'd/f': 'file' })
  })

  test('S2-19 of what another took the place of in the last moment: that goes back', () => {
    const root = withFiles({ 'd/f': 'f' })
    root.trap.before('rename:no-replace', 1, () => {
      fs.renameSync(root.abs('d'), root.abs('away'))
      root.write('d/other', 'o')
    })
    expect(root.apply([rename(root, 'd', 'n')]).outcomes).toMatchObject([{ kind: 'superseded' }])
    expect(root.tree()).toEqual({ away: '/', 'away/f': 'f', d: '/', 'd/other': 'o' })
  })

  test('of which cannot be said what came out: it goes back, and is not done', () => {
    const root = withFiles({ 'd/f': 'f' })
    const operation = rename(root, 'd', 'n')
    root.trap.fail((call, path) =>
      call === 'statAt' && path.endsWith('/n') && fs.existsSync(root.abs('n'))
        ? new FileFailure('io', path, 'fstatat', 'EIO')
        : undefined,
    )
    expect(root.apply([operation]).outcomes).toMatchObject([{ kind: 'failed' }])
    expect(root.tree()).toEqual({ d: '/', 'd/f': 'f' })
  })
})

test('a crash at any call of a batch with renames leaves each at one of its places, and what was done is told', {
  timeout: 120_000,
}, () => {
  let crashed = 0
  let told = 0
  for (let n = 0; n < 1_000; n++) {
    const root = withFiles({ 'd/f': 'f', 'd/e/g': 'g', h: 'hhh', a: 'old a' })
    const operations = [
      makeDirectory('n', 0o755),
      rename(root, 'd', 'n/d'),
      rename(root, 'h', 'n/h'),
      writeFile('n/x', absent, 0, 'x'),
    ]
    root.trap.crash(n)
    let dead = false
    try {
      root.apply(operations, ['x'])
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      dead = true
    }
    root.restart()
    const recovered = root.recover()
    const tree = root.tree()
    expect(['f', undefined]).toContain(tree['d/f'])
    expect([tree['d/f'], tree['n/d/f']].filter((text) => text !== undefined)).toEqual(['f'])
    expect([tree['d/e/g'], tree['n/d/e/g']].filter((text) => text !== undefined)).toEqual(['g'])
    expect([tree.h, tree['n/h']].filter((text) => text !== undefined)).toEqual(['hhh'])
    const outcomes = recovered.unacknowledged
      .filter((past) => past.pair === pair)
      .flatMap((past) => past.outcomes.map(({ outcome }) => outcome))
    const renamed = outcomes.flatMap((one) => (one.kind === 'done' && one.from !== undefined ? [one.path] : []))
    expect(renamed.includes(relPath('n/d'))).toBe(tree['n/d/f'] === 'f')
    expect(renamed.includes(relPath('n/h'))).toBe(tree['n/h'] === 'hhh')
    told += renamed.length
    expect(root.recover().unacknowledged).toEqual(recovered.unacknowledged)
    if (!dead) break
    crashed++
  }
  expect(crashed).toBeGreaterThan(10)
  expect(told).toBeGreaterThan(10)
})

describe('a scan', () => {
  const scan = (root: Fixture, directory: string, names?: readonly string[]) => {
    const target = { directory: relPath(directory), names, placed: false, settled: [] }
    const how = { full: false, reporting: true, sealing: false }
    const output = scanJob.run(root.world, { place: root.place, targets: [target], ...how })
    return { ...output, told: readReports(new BytesReader(output.reports)).map(spoken) }
  }
  const spoken = (report: ReturnType<typeof readReports>[number]): string => {
    if (report.kind === 'moved') return `${report.from} -> ${report.path}`
    return report.kind === 'entry' ? `${report.path} ${report.found.kind}` : `${report.path}/`
  }

  test.each([
    ['both places at once', [['d', 'n']]],
    ['the old place first', [['d'], ['n']]],
    ['the new place first', [['n'], ['d']]],
  ])('that sees %s knows a directory again, with all that is in it, and reads nothing', (_, rounds) => {
    const root = withFiles({ 'd/e/f': 'f', 'd/g': 'g' })
    const known = root.record('d/g')
    fs.renameSync(root.abs('d'), root.abs('n'))
    const told = rounds.flatMap((names) => scan(root, '', names).told)
    expect([...told].sort()).toEqual(['d -> n', 'd absent', 'n directory'])
    expect(indexed(root)).toEqual({ n: 'directory', 'n/e': 'directory', 'n/e/f': 'file', 'n/g': 'file' })
    expect(root.record('n/g')).toEqual(known)
  })

  test('that misses a directory by its name alone looks for it beside', () => {
    const root = withFiles({ 'd/f': 'f', 'other/g': 'g' })
    fs.renameSync(root.abs('d'), root.abs('n'))
    root.write('new', 'a file that is new as well')
    expect(scan(root, '', ['d']).told.sort()).toEqual(['d -> n', 'd absent', 'n directory', 'new file'])
  })

  test('answers what was moved to be looked at all the way down', () => {
    const root = withFiles({ 'd/e/f': 'f' })
    fs.renameSync(root.abs('d'), root.abs('n'))
    expect(scan(root, '', ['d', 'n']).deeper).toMatchObject([{ directory: 'n', placed: false, deep: true }])
  })

  test('does not take a copy for what was copied', () => {
    const root = withFiles({ 'd/f': 'f' })
    fs.cpSync(root.abs('d'), root.abs('n'), { recursive: true })
    expect(scan(root, '', ['d', 'n']).told).toEqual(['n directory'])
  })

  test('of a directory that was exchanged with one inside it makes no circle', () => {
    const root = withFiles({ 'a/b/f': 'f' })
    fs.renameSync(root.abs('a/b'), root.abs('t'))
    fs.renameSync(root.abs('a'), root.abs('t/a'))
    fs.renameSync(root.abs('t'), root.abs('a'))
    scan(root, 'a/b')
    scan(root, '', ['a'])
    scan(root, 'a')
    scan(root, 'a/a')
    scan(root, 'a')
    expect(indexed(root)).toMatchObject({ a: 'directory', 'a/f': 'file', 'a/a': 'directory' })
  })

  test('of a member whose directory is elsewhere by now tells nobody of the old path', () => {
    const root = withFiles({ 'd/f': 'f' })
    root.write('d/f', 'edited', 7n)
    root.trap.before('statAt', 1, () => {
      fs.renameSync(root.abs('d'), root.abs('n'))
      scan(root, '', ['d', 'n'])
    })
    const { told, again } = scan(root, 'd', ['f'])
    expect([told, again, indexed(root)]).toEqual([[], ['d/f'], { n: 'directory', 'n/f': 'file' }])
    expect(scan(root, 'n', ['f']).told).toEqual(['n/f file'])
  })
})
