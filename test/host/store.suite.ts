import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AbsPath } from '../../src/core/path.js'
import { keyBytesMax, type Store, type StoreRecord, type Stores } from '../../src/host/store.js'

export interface StoreFixture {
  readonly stores: Stores
  /** Of a file that does not exist yet, in a directory that does. */
  readonly path: AbsPath
  /** Removes what the fixture made. */
  release(): void
}

/** The contract of Stores, for every implementation. */
export function describeStore(name: string, make: () => StoreFixture): void {
  describe(`store: ${name}`, () => {
    let fixture: StoreFixture
    let handles: Store[]

    beforeEach(() => {
      fixture = make()
      handles = []
    })
    afterEach(() => {
      for (const handle of handles) handle.close()
      fixture.release()
    })

    function open(): Store {
      const handle = fixture.stores.open(fixture.path)
      handles.push(handle)
      return handle
    }

    test('an absent key is undefined, a put key is its value', () => {
      const store = open()
      expect(store.get(bytes('a'))).toBeUndefined()
      put(store, 'a', '1')
      expect(text(store.get(bytes('a')))).toBe('1')
    })

    test('a later put replaces, a remove removes, and removing what is absent is harmless', () => {
      const store = open()
      put(store, 'a', '1')
      put(store, 'a', '2')
      expect(text(store.get(bytes('a')))).toBe('2')
      store.write((transaction) => {
        transaction.remove(bytes('a'))
        transaction.remove(bytes('never'))
      })
      expect(store.get(bytes('a'))).toBeUndefined()
    })

    test('a range comes in the order of the bytes, a prefix before what it begins', () => {
      const store = open()
      const keys = [[0], [0, 0], [0, 1], [1], [1, 255], [2], [127], [128], [255], [255, 255]]
      store.write((transaction) => {
        for (const key of [...keys].reverse()) transaction.put(Uint8Array.from(key), Uint8Array.of(1))
      })
      const found = [...store.range(Uint8Array.of(0), Uint8Array.of(255, 255, 255))]
      expect(found.map((record) => [...record.key])).toEqual(keys)
    })

    const ranges: [what: string, from: string, to: string, found: string][] = [
      ['from is within, to is not', 'b', 'd', 'b c'],
      ['from and to need not exist', 'aa', 'cc', 'b c'],
      ['equal ends hold nothing', 'b', 'b', ''],
      ['ends the wrong way round hold nothing', 'd', 'b', ''],
      ['before everything', 'A', 'Z', ''],
      ['behind everything', 'x', 'z', ''],
      ['everything', 'a', 'z', 'a b c d'],
    ]
    test.each(ranges)('range: %s', (_, from, to, found) => {
      const store = open()
      store.write((transaction) => {
        for (const key of ['a', 'b', 'c', 'd']) transaction.put(bytes(key), bytes(key))
        expect(keysOf(transaction.range(bytes(from), bytes(to)))).toBe(found)
      })
      expect(keysOf(store.range(bytes(from), bytes(to)))).toBe(found)
      expect(store.count(bytes(from), bytes(to))).toBe(found === '' ? 0 : found.split(' ').length)
    })

    test('keys of the longest length, empty values and values of 100 kB come back whole', () => {
      const store = open()
      const long = new Uint8Array(keyBytesMax).fill(7)
      const large = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251)
      store.write((transaction) => {
        transaction.put(long, large)
        transaction.put(bytes('empty'), new Uint8Array(0))
      })
      expect(same(store.get(long), large)).toBe(true)
      expect(store.get(bytes('empty'))?.length).toBe(0)
      const [first] = [...store.range(long, Uint8Array.of(8))]
      expect(first !== undefined && same(first.key, long) && same(first.value, large)).toBe(true)
    })

    test('a transaction answers what its body answers', () => {
      expect(open().write(() => 42)).toBe(42)
    })

    test('a throw inside comes out as it is, and nothing of the transaction stays', () => {
      const store = open()
      put(store, 'a', 'before')
      const thrown = new Error('on purpose')
      let caught: unknown
      try {
        store.write((transaction) => {
          transaction.put(bytes('a'), bytes('after'))
          transaction.put(bytes('b'), bytes('new'))
          throw thrown
        })
      } catch (error) {
        caught = error
      }
      expect(caught).toBe(thrown)
      expect(text(store.get(bytes('a')))).toBe('before')
      expect(store.get(bytes('b'))).toBeUndefined()
      put(store, 'c', 'goes on')
      expect(text(store.get(bytes('c')))).toBe('goes on')
    })

    test('a transaction reads its own writes', () => {
      const store = open()
      put(store, 'a', '1')
      put(store, 'b', '1')
      store.write((transaction) => {
        transaction.put(bytes('b'), bytes('2'))
        transaction.remove(bytes('a'))
        transaction.put(bytes('c'), bytes('3'))
        expect(transaction.get(bytes('a'))).toBeUndefined()
        expect(text(transaction.get(bytes('b')))).toBe('2')
        expect(keysOf(transaction.range(bytes('a'), bytes('z')))).toBe('b c')
      })
    })

    test('a transaction may remove what its range walks over', () => {
      const store = open()
      store.write((transaction) => {
        for (let at = 0; at < 1_000; at++) transaction.put(numbered(at), bytes('x'))
      })
      store.write((transaction) => {
        let seen = 0
        for (const { key } of transaction.range(numbered(0), numbered(1_000))) {
          transaction.remove(key)
          seen += 1
        }
        expect(seen).toBe(1_000)
      })
      expect([...store.range(numbered(0), numbered(1_000))]).toEqual([])
    })

    test('a range stays as of its first step while this thread writes, and a read beside it is new', () => {
      const store = open()
      for (const key of ['a', 'b', 'c']) put(store, key, 'old')
      const seen: string[] = []
      for (const record of store.range(bytes('a'), bytes('z'))) {
        seen.push(`${text(record.key)}=${text(record.value)}`)
        put(store, 'b', 'new')
        put(store, 'd', 'new')
        expect(text(store.get(bytes('b')))).toBe('new')
        expect(keysOf(store.range(bytes('a'), bytes('z')))).toBe('a b c d')
      }
      expect(seen).toEqual(['a=old', 'b=old', 'c=old'])
    })

    test('two ranges that overlap each keep their own moment', () => {
      const store = open()
      put(store, 'a', '1')
      put(store, 'b', '1')
      const first = store.range(bytes('a'), bytes('z'))[Symbol.iterator]()
      first.next()
      put(store, 'c', '2')
      const second = store.range(bytes('a'), bytes('z'))[Symbol.iterator]()
      second.next()
      put(store, 'd', '3')
      expect(rest(first)).toBe('b')
      expect(rest(second)).toBe('b c')
    })

    test('a range that is left early holds nothing up', () => {
      const store = open()
      for (const key of ['a', 'b', 'c']) put(store, key, '1')
      for (const _ of store.range(bytes('a'), bytes('z'))) break
      put(store, 'd', '2')
      expect(keysOf(store.range(bytes('a'), bytes('z')))).toBe('a b c d')
    })

    test('keys and values are fresh: they stay good, and changing them changes nothing', () => {
      const store = open()
      store.write((transaction) => {
        for (let at = 0; at < 500; at++) transaction.put(numbered(at), numbered(at * 3))
      })
      const kept: StoreRecord[] = []
      for (const record of store.range(numbered(0), numbered(500))) {
        kept.push(record)
        store.get(numbered(7))
      }
      expect(kept.every(({ key, value }, at) => same(key, numbered(at)) && same(value, numbered(at * 3)))).toBe(true)
      for (const { key, value } of kept) {
        key.fill(0)
        value.fill(0)
      }
      store.get(numbered(3))?.fill(9)
      expect(same(store.get(numbered(3)), numbered(9))).toBe(true)
    })

    test('the bytes given to put may be used again at once', () => {
      const store = open()
      const key = bytes('a')
      const value = bytes('1')
      store.write((transaction) => {
        transaction.put(key, value)
        key.fill(0x62)
        value.fill(0x32)
        transaction.put(key, value)
      })
      expect(text(store.get(bytes('a')))).toBe('1')
      expect(text(store.get(bytes('b')))).toBe('2')
    })

    test('two handles of one path see each other within one turn', () => {
      const one = open()
      const two = open()
      for (let round = 0; round < 20; round++) {
        put(one, 'a', `${round}`)
        expect(text(two.get(bytes('a')))).toBe(`${round}`)
        put(two, 'b', `${round}`)
        expect([...one.range(bytes('a'), bytes('c'))].map((record) => text(record.value))).toEqual([
          `${round}`,
          `${round}`,
        ])
      }
    })

    test('who reads much sees what was committed before, and what he writes himself afterwards', () => {
      const one = open()
      const two = open()
      for (let round = 0; round < 20; round++) {
        put(two, 'a', `${round}`)
        const seen = one.reading(() =>
          one.reading(() => [text(one.get(bytes('a'))), keysOf(one.range(bytes('a'), bytes('b')))]),
        )
        expect(seen).toEqual([`${round}`, 'a'])
        const begun = one.reading(() => {
          const records = one.range(bytes('a'), bytes('z'))[Symbol.iterator]()
          records.next()
          put(one, 'b', `${round}`)
          return records
        })
        expect(text(one.get(bytes('b')))).toBe(`${round}`)
        put(one, 'c', `${round}`)
        expect(() => rest(begun)).not.toThrow()
      }
    })

    test('what goes wrong while somebody reads comes out as it is, and the next read is new', () => {
      const store = open()
      put(store, 'a', '1')
      const wrong = new Error('wrong')
      expect(() =>
        store.reading(() => {
          store.get(bytes('a'))
          throw wrong
        }),
      ).toThrow(wrong)
      put(store, 'a', '2')
      expect(text(store.get(bytes('a')))).toBe('2')
    })

    test('what was committed is there after closing and opening again, and closing twice is harmless', () => {
      const before = open()
      put(before, 'a', '1')
      before.close()
      before.close()
      expect(text(open().get(bytes('a')))).toBe('1')
    })

    test('5,000 records fit one transaction', () => {
      const store = open()
      store.write((transaction) => {
        for (let at = 0; at < 5_000; at++)
          transaction.put(numbered((at * 7_919) % 5_000), new Uint8Array(90).fill(at % 256))
      })
      let seen = 0
      for (const { key } of store.range(numbered(0), numbered(5_000))) {
        if (!same(key, numbered(seen))) throw new Error(`out of order at ${seen}`)
        seen += 1
      }
      expect(seen).toBe(5_000)
    })

    test('it behaves as a sorted map does, whatever is done', () => {
      const store = open()
      const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 })
      const step = fc.oneof(
        fc.record({ kind: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 8 }) }),
        fc.record({ kind: fc.constant('remove' as const), key }),
      )
      const transactions = fc.array(
        fc.record({ steps: fc.array(step, { maxLength: 6 }), fails: fc.boolean(), from: key, to: key }),
        { maxLength: 6 },
      )
      const whole = Uint8Array.of(255)
      fc.assert(
        fc.property(transactions, (list) => {
          store.write((transaction) => {
            for (const record of transaction.range(Uint8Array.of(0), whole)) transaction.remove(record.key)
          })
          const model = new Map<string, string>()
          for (const { steps, fails, from, to } of list) {
            const draft = new Map(model)
            try {
              store.write((transaction) => {
                for (const one of steps) {
                  if (one.kind === 'put') {
                    transaction.put(one.key, one.value)
                    draft.set(hex(one.key), hex(one.value))
                  } else {
                    transaction.remove(one.key)
                    draft.delete(hex(one.key))
                  }
                }
                expect(dump(transaction.range(from, to))).toEqual(sorted(draft, from, to))
                if (fails) throw new Error('roll back')
              })
              model.clear()
              for (const [name, value] of draft) model.set(name, value)
            } catch (error) {
              if (!(error instanceof Error) || error.message !== 'roll back') throw error
            }
            expect(dump(store.range(from, to))).toEqual(sorted(model, from, to))
            expect(store.count(from, to)).toBe(sorted(model, from, to).length)
            expect(dump(store.range(Uint8Array.of(0), whole))).toEqual(sorted(model, Uint8Array.of(0), whole))
          }
        }),
        { numRuns: 60 },
      )
    })
  })
}

function put(store: Store, key: string, value: string): void {
  store.write((transaction) => transaction.put(bytes(key), bytes(value)))
}

function bytes(word: string): Uint8Array {
  return new TextEncoder().encode(word)
}

function text(found: Uint8Array | undefined): string {
  return found === undefined ? 'absent' : new TextDecoder().decode(found)
}

function numbered(at: number): Uint8Array {
  return Uint8Array.of((at >> 24) & 255, (at >> 16) & 255, (at >> 8) & 255, at & 255)
}

function same(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0
}

function keysOf(records: Iterable<StoreRecord>): string {
  return [...records].map((record) => text(record.key)).join(' ')
}

function rest(records: Iterator<StoreRecord>): string {
  const keys: string[] = []
  for (let step = records.next(); step.done !== true; step = records.next()) keys.push(text(step.value.key))
  return keys.join(' ')
}

function hex(some: Uint8Array): string {
  return Buffer.from(some).toString('hex')
}

function dump(records: Iterable<StoreRecord>): string[] {
  return [...records].map(({ key, value }) => `${hex(key)}=${hex(value)}`)
}

function sorted(model: Map<string, string>, from: Uint8Array, to: Uint8Array): string[] {
  // Hexadecimal digits sort as the bytes do, and a prefix comes first in both.
  const keys = [...model.keys()].filter((key) => key >= hex(from) && key < hex(to)).sort()
  return keys.map((key) => `${key}=${model.get(key)}`)
}
