import { beforeEach, describe, expect, test } from 'vitest'
import { type AbsPath, relPath, rootPath } from '../../src/core/path.js'
import type { Store, Stores } from '../../src/host/store.js'
import { Index, type IndexEdit, pathOf } from '../../src/index/index.js'
import type { RecordFields } from '../../src/index/record.js'
import { fingerprintOf } from '../../src/wire/bytes.js'

/** The contract of the index, on any store. */
export function describeIndex(name: string, make: () => { readonly stores: Stores; readonly path: AbsPath }): void {
  describe(`index on ${name}`, () => {
    let index: Index
    let store: Store
    beforeEach(() => {
      const { stores, path } = make()
      store = stores.open(path)
      index = new Index(store)
      index.write((edit) => edit.put(0, '', directory(1n)))
    })

    /** Puts a file or directory under a path whose parent is known. */
    const put = (path: string, fields: RecordFields) => {
      const at = relPath(path)
      const parent = index.directoryId(relPath(path.slice(0, Math.max(0, path.lastIndexOf('/'))))) ?? 0
      return index.write((edit) => edit.put(parent, at.slice(at.lastIndexOf('/') + 1), fields)).value
    }
    const namesIn = (path: string) => [...index.members(index.directoryId(relPath(path)) ?? -1)].map(({ name }) => name)

    test('what was put is found by its path, to the nanosecond and the byte', () => {
      put('d', directory(2n))
      const odd = file(3n, { mtimeNs: -1_500_000_001n, mode: 0o4755, racy: true })
      put('d/caf\udce9', odd)
      expect(index.find(relPath('d/caf\udce9'))?.record).toMatchObject(odd)
      expect(namesIn('d')).toEqual(['caf\udce9'])
    })

    test('every content gets the next sequence, inside the transaction', () => {
      const before = index.sequence()
      const { first, last } = index.write((edit) => {
        const root = edit.directoryId(rootPath) ?? 0
        edit.put(root, 'a', file(2n))
        edit.put(root, 'b', file(3n))
      })
      expect([first, last]).toEqual([before + 1, before + 2])
      expect(index.sequence()).toBe(last)
      expect(index.find(relPath('b'))?.record.sequence).toBe(last)
    })

    test('an amended record keeps its sequence: nobody hears of it', () => {
      const record = put('a', file(2n))
      const before = index.sequence()
      const root = index.directoryId(rootPath) ?? 0
      index.write((edit) => edit.amend(root, 'a', { ...record, racy: true }))
      expect(index.sequence()).toBe(before)
      expect(index.find(relPath('a'))?.record.racy).toBe(true)
    })

    test('a change marks the directory that holds it, not the ones above', () => {
      put('d', directory(2n))
      const id = index.directoryId(relPath('d')) ?? 0
      const rootId = index.directoryId(rootPath) ?? 0
      const rootBefore = index.place(rootId)?.changed
      const record = put('d/f', file(3n))
      expect(index.place(id)?.changed).toBe(record.sequence)
      expect(index.place(rootId)?.changed).toBe(rootBefore)
    })

    test('the same directory keeps its members when its mode changes', () => {
      put('d', directory(2n))
      put('d/f', file(3n))
      put('d', directory(2n, { mode: 0o700 }))
      expect(namesIn('d')).toEqual(['f'])
    })

    test('S1-4 a directory that was removed and made anew begins empty, under a new placement', () => {
      put('d', directory(2n))
      put('d/old', file(3n))
      const old = index.directoryId(relPath('d')) ?? 0
      const record = put('d', directory(9n))
      expect(namesIn('d')).toEqual([])
      expect(index.place(record.directoryId)?.placed).toBe(record.sequence)
      expect(index.place(old)).toBeUndefined()
    })

    test.each([
      ['to the nanosecond, is known again elsewhere', 5_000_000_001n, true],
      ['cut to whole seconds, is nobody in particular: its number may have been given anew', 4_000_000_000n, false],
      ['unknown, is nobody in particular', 0n, false],
    ])('S2-19 a directory whose time of birth is %s', (_, birthNs, isKnown) => {
      put('d', directory(2n, { birthNs }))
      const where = index.whereIs(2n, birthNs)
      expect(where?.path).toBe(isKnown ? relPath('d') : undefined)
    })

    test('what hangs in a removed directory has no path and is purged in time', () => {
      put('d', directory(2n))
      put('d/e', directory(3n))
      put('d/e/f', file(4n))
      const inner = index.directoryId(relPath('d/e')) ?? 0
      const rootId = index.directoryId(rootPath) ?? 0
      index.write((edit) => edit.remove(rootId, 'd'))
      expect(pathOf(index, inner, new Map())).toBeUndefined()
      for (let more = true, rounds = 0; more && rounds < 20; rounds++)
        more = index.write((edit) => edit.purge(1, 0n)).value
      expect([...index.members(inner)]).toEqual([])
    })

    test('S1-5 a run vouches for its own sequences only', () => {
      index.write((edit) => edit.beginRun('aa'.repeat(16)))
      put('a', file(2n))
      const last = index.sequence()
      index.write((edit) => edit.beginRun('bb'.repeat(16)))
      put('b', file(3n))
      expect(index.run('aa'.repeat(16))?.last).toBe(last)
      expect(index.run('bb'.repeat(16))?.last).toBe(index.sequence())
      expect(index.run('cc'.repeat(16))).toBeUndefined()
    })

    test('a run is no change: the last sequence of a record is known beside it', () => {
      const { sequence } = put('a', file(2n))
      const changes = () => [index.lastChange(), index.sequence()]
      expect(changes()).toEqual([sequence, sequence])
      index.write((edit) => edit.beginRun('aa'.repeat(16)))
      index.write((edit) => edit.beginRun('bb'.repeat(16)))
      expect(changes()).toEqual([sequence, sequence + 2])
      index.write((edit) => edit.amend(1, 'a', { ...(index.at(1, 'a') ?? expect.fail()), racy: true }))
      expect(changes()).toEqual([sequence, sequence + 2])
      index.write((edit) => edit.remove(1, 'a'))
      expect(changes()).toEqual([sequence + 3, sequence + 3])
      index.write((edit) => edit.putOver(1, 'new', directory(9n), undefined, true))
      index.write((edit) => edit.markListed(index.directoryId(relPath('new')) ?? 0))
      expect(changes()).toEqual([sequence + 5, sequence + 5])
    })

    test('a version that does not note the last change is noticed', () => {
      put('a', file(2n))
      const six = (value: number) => Buffer.from(value.toString(16).padStart(12, '0'), 'hex')
      store.write((tx) => tx.put(Buffer.from('msequence'), six(index.sequence() + 5)))
      expect(index.lastChange()).toBeUndefined()
      index.write((edit) => edit.beginRun('aa'.repeat(16)))
      expect(index.lastChange()).toBe(index.sequence() - 1)
    })

    test('what is in a known directory is found in one step, and nothing in one that is gone', () => {
      put('d', directory(2n))
      put('d/f', file(3n))
      const id = index.directoryId(relPath('d')) ?? 0
      expect(index.findBelow(id, relPath('d/f'))).toEqual(index.find(relPath('d/f')))
      expect(index.findBelow(id, relPath('d/g'))).toBeUndefined()
      put('d', directory(9n))
      expect(index.findBelow(id, relPath('d/f'))).toBeUndefined()
    })

    describe('the seal of a directory', () => {
      const sealed = (path = 'd') => index.seal(index.directoryId(relPath(path)) ?? 0)
      const seal = (path = 'd') => {
        index.write((edit) => edit.seal(index.directoryId(relPath(path)) ?? 0))
        return sealed(path)
      }
      beforeEach(() => {
        put('d', directory(2n))
        put('d/f', file(3n))
        put('d/sub', directory(4n))
      })

      test('is that of its members, whatever was between', () => {
        const first = seal()
        expect(first).toHaveLength(32)
        const id = index.directoryId(relPath('d')) ?? 0
        put('d/g', file(5n))
        index.write((edit) => edit.remove(id, 'g'))
        expect(seal()).toEqual(first)
        put('d/f', file(3n, { ctimeNs: 12n }))
        expect(seal()).not.toEqual(first)
      })

      const record = () => index.find(relPath('d/f'))?.record ?? expect.fail()
      const id = () => index.directoryId(relPath('d')) ?? 0
      const rows: readonly (readonly [string, (edit: IndexEdit) => void, boolean])[] = [
        ['a member is put', (edit) => edit.put(id(), 'g', file(6n)), true],
        ['a member is amended', (edit) => edit.amend(id(), 'f', { ...record(), racy: true }), true],
        ['a member is removed', (edit) => edit.remove(id(), 'f'), true],
        [
          'a member is put after it was sealed',
          (edit) => {
            edit.put(id(), 'f', file(6n))
            edit.seal(id())
            edit.put(id(), 'f', file(7n))
          },
          true,
        ],
        ['it is another directory now', (edit) => edit.put(1, 'd', directory(9n)), true],
        ['a member of a directory below is put', (edit) => edit.put(id() + 1, 'x', file(8n)), false],
        ['a member beside it is put', (edit) => edit.put(1, 'x', file(8n)), false],
      ]
      test.each(rows)('when %s: broken or not', (_, change, breaks) => {
        const before = id()
        expect(seal()).toBeDefined()
        index.write(change)
        expect(index.seal(before) === undefined).toBe(breaks)
      })

      const doubtful: readonly (readonly [string, Partial<RecordFields>])[] = [
        [
          'of which only an equal stamp is known, not equal bytes',
          { racy: true, fingerprint: fingerprintOf(Buffer.alloc(32)) },
        ],
        ['with a problem', { problem: { kind: 'problem', code: 'io', detail: '' } }],
        ['that was never looked at', { kind: 'unknown' }],
      ]
      test.each(doubtful)('is not given to one with a member %s', (_, fields) => {
        put('d/f', file(3n, fields))
        expect(seal()).toBeUndefined()
      })

      test('is not given to one that was never listed', () => {
        index.write((edit) => edit.putOver(1, 'new', directory(9n), undefined, true))
        expect(seal('new')).toBeUndefined()
        index.write((edit) => edit.markListed(index.directoryId(relPath('new')) ?? 0))
        expect(seal('new')).toBeDefined()
      })
    })

    test('a failed transaction leaves no trace, sequences included', () => {
      const before = index.sequence()
      const rootId = index.directoryId(rootPath) ?? 0
      expect(() =>
        index.write((edit) => {
          edit.put(rootId, 'a', file(2n))
          throw new Error('stop')
        }),
      ).toThrow('stop')
      expect(index.sequence()).toBe(before)
      expect(index.find(relPath('a'))).toBeUndefined()
    })
  })
}

function file(inode: bigint, more: Partial<RecordFields> = {}): RecordFields {
  return {
    kind: 'file',
    mode: 0o644,
    inode,
    birthNs: 1n,
    sizeBytes: 5,
    mtimeNs: 7n,
    ctimeNs: 8n,
    fingerprint: undefined,
    target: undefined,
    racy: false,
    boundary: false,
    problem: undefined,
    ...more,
  }
}

function directory(inode: bigint, more: Partial<RecordFields> = {}): RecordFields {
  return { ...file(inode), kind: 'directory', mode: 0o755, sizeBytes: 0, ...more }
}
