import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Archive, ArchiveFacts } from '../../src/archive/archive.js'
import { type ArchiveEdit, commitJob, encodeEdit, type LastEdits, openArchive } from '../../src/archive/commit.js'
import type { Content, Fingerprint } from '../../src/core/content.js'
import { type AbsPath, join, type RelPath, relPath } from '../../src/core/path.js'
import type { World } from '../../src/host/workers.js'
import { BytesWriter } from '../../src/wire/bytes.js'

/** The contract of the archive and of its one writer, on any store. */
export function describeArchive(name: string, make: () => { readonly world: World; readonly path: AbsPath }): void {
  describe(`archive on ${name}`, () => {
    let world: World
    let path: AbsPath
    let archive: Archive
    beforeEach(() => {
      const made = make()
      world = made.world
      path = made.path
      archive = openArchive(world, path)
    })

    const commitEdits = (edits: readonly ArchiveEdit[], last?: LastEdits) => {
      const to = new BytesWriter()
      for (const edit of edits) encodeEdit(to, edit)
      commitJob.run(world, { archive: path, edits: to.finish(), last })
    }
    const commit = (edits: readonly (readonly [string, Content | undefined])[], last?: LastEdits) => {
      commitEdits(
        edits.map(([at, content]) => editOf(at, content)),
        last,
      )
    }
    const at = (text: string) => archive.find(relPath(text))?.agreement.content
    const namesIn = (text: string) =>
      [...archive.members(archive.find(relPath(text))?.directoryId ?? -1)].map(({ name }) => name)

    test('what was committed is found by its path', () => {
      commit([
        ['', directory],
        ['d', directory],
        ['d/caf\udce9', file],
      ])
      expect(at('d/caf\udce9')).toEqual(file)
      expect(namesIn('d')).toEqual(['caf\udce9'])
    })

    test('a removed directory takes everything below with it', () => {
      commit([
        ['', directory],
        ['d', directory],
        ['d/e', directory],
        ['d/e/f', file],
      ])
      commit([['d', undefined]])
      expect(at('d/e/f')).toBeUndefined()
      commit([
        ['d', directory],
        ['d/e', directory],
      ])
      expect(namesIn('d/e')).toEqual([])
    })

    test('a directory that becomes a file forgets its members, and the other way round', () => {
      commit([
        ['', directory],
        ['p', directory],
        ['p/x', file],
      ])
      commit([['p', file]])
      expect(at('p/x')).toBeUndefined()
      commit([
        ['p', directory],
        ['p/y', file],
      ])
      expect(namesIn('p')).toEqual(['y'])
    })

    test('nothing is written below what is no agreed directory', () => {
      commit([
        ['', directory],
        ['gone/x', file],
      ])
      expect(at('gone/x')).toBeUndefined()
    })

    test('what moved to where nothing is agreed yet is agreed nowhere', () => {
      commit([
        ['', directory],
        ['n', directory],
        ['n/d', directory],
        ['n/d/e', file],
      ])
      commitEdits([{ path: relPath('new/d'), agreement: undefined, from: relPath('n/d') }])
      expect(namesIn('n')).toEqual([])
      expect(at('new/d')).toBeUndefined()
      commit([['n/d', directory]])
      expect(namesIn('n/d')).toEqual([])
    })

    test('edits end the same in one transaction and in one each', () => {
      commit([['', directory]])
      const below = (text: string): string[] =>
        namesIn(text).flatMap((name) => {
          const kind = at(`${text}/${name}`)?.kind
          const inside = kind === 'directory' ? below(`${text}/${name}`) : []
          return [`${name} ${kind}`, ...inside.map((line) => `${name}/${line}`)]
        })
      let runs = 0
      fc.assert(
        fc.property(fc.array(anyEdit, { maxLength: 12 }), (some) => {
          runs++
          const under = (place: string) => some.map((edit) => placed(edit, relPath(`${place}${runs}`)))
          commitEdits([editOf(`one${runs}`, directory), ...under('one')])
          commitEdits([editOf(`each${runs}`, directory)])
          for (const edit of under('each')) commitEdits([edit])
          expect(below(`one${runs}`)).toEqual(below(`each${runs}`))
        }),
        { numRuns: 500 },
      )
    })

    test('S1-6 cursors and open records come with the last transaction', () => {
      commit([['', directory]])
      expect(archive.facts()).toBeUndefined()
      const open = { path: relPath('d/x'), why: 'conflict', detail: 'new file <-?-> new file' } as const
      commit([['d', directory]], { facts, opened: [open], closed: [] })
      expect(archive.facts()).toEqual(facts)
      expect([...archive.opens()]).toEqual([open])
      commit([], { facts, opened: [], closed: [open.path] })
      expect([...archive.opens()]).toEqual([])
    })

    test('more records than one transaction takes arrive all', () => {
      const many = Array.from({ length: 12_000 }, (_, n) => [`f${n}`, file] as const)
      commit([['', directory], ...many], { facts, opened: [], closed: [] })
      expect(namesIn('').length).toBe(12_000)
    })

    test('an unknown property stays unknown, and what a side holds instead is kept', () => {
      const content: Content = { ...file, props: { mode: undefined, mtimeNs: undefined } }
      const agreement = { content, alphaHolds: { mode: 0o644, mtimeNs: 5n }, betaHolds: undefined }
      commitEdits([editOf('', directory), { path: relPath('f'), agreement }])
      expect(archive.find(relPath('f'))?.agreement).toEqual(agreement)
    })
  })
}

const directory: Content = { kind: 'directory', props: { mode: 0o755, mtimeNs: undefined } }
const file: Content & { kind: 'file' } = {
  kind: 'file',
  fingerprint: `sha256:${'ab'.repeat(32)}` as Fingerprint,
  sizeBytes: 2 ** 40,
  props: { mode: 0o1644, mtimeNs: -1n },
}

const facts: ArchiveFacts = {
  alpha: '//host//a',
  beta: 'wss://nas:4242/b',
  alphaRoot: '01'.repeat(16),
  betaRoot: '02'.repeat(16),
  generation: 7,
  alphaCursor: { index: '03'.repeat(16), run: '04'.repeat(16), sequence: 99, view: 'x' },
  betaCursor: undefined,
  met: true,
  batches: 1_700_000_000_000_001,
}

function editOf(path: string, content: Content | undefined): ArchiveEdit {
  const agreement = content === undefined ? undefined : { content, alphaHolds: undefined, betaHolds: undefined }
  return { path: relPath(path), agreement }
}

const anyPath = fc.constantFrom('a', 'a/b', 'a/b/c', 'd', 'd/b', 'd/b/c').map(relPath)
const anyEdit: fc.Arbitrary<ArchiveEdit> = fc.oneof(
  fc
    .tuple(anyPath, fc.constantFrom(directory, directory, file, undefined))
    .map(([path, content]) => editOf(path, content)),
  anyPath.map((path): ArchiveEdit => ({ ...editOf(path, directory), passing: true })),
  fc.tuple(anyPath, anyPath).map(([path, from]): ArchiveEdit => ({ path, agreement: undefined, from })),
)

function placed({ path, from, ...edit }: ArchiveEdit, place: RelPath): ArchiveEdit {
  return { ...edit, path: join(place, path), ...(from === undefined ? {} : { from: join(place, from) }) }
}
