import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BytesWriter, Malformed } from '../../src/wire/bytes.js'
import {
  besideOf,
  type NewFile,
  readNewFiles,
  smallFilesBytesMax,
  writeWantPlace,
  writeWantProps,
} from '../../src/wire/pack.js'

function written(files: ReadonlyMap<number, NewFile>): { props: Uint8Array; places: Uint8Array } {
  const [props, places] = [new BytesWriter(), new BytesWriter()]
  for (const [want, { props: given, place }] of files) {
    writeWantProps(props, want, given)
    if (place !== undefined) writeWantPlace(places, want, place)
  }
  return { props: props.finish(), places: places.finish() }
}

const none = new Uint8Array(0)
const mode = fc.option(fc.nat(0o7777), { nil: undefined })
const mtimeNs = fc.option(fc.bigInt(-(1n << 62n), 1n << 62n), { nil: undefined })
const name = fc.stringMatching(/^[^/\0]{1,60}$/).filter((text) => text !== '.' && text !== '..')
const place = fc.option(fc.record({ folder: fc.nat(2 ** 31), name }), { nil: undefined })
const newFile = fc.record({ props: fc.record({ mode, mtimeNs }), place })
const newFiles = fc
  .array(fc.tuple(fc.nat(2 ** 31 - 1), newFile), { maxLength: 20 })
  .map((pairs) => new Map<number, NewFile>(pairs))

describe('what is said of new files beside a pack', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(newFiles, (files) => {
        expect(readNewFiles(besideOf({ bytes: none, ...written(files) }))).toEqual(files)
      }),
    )
  })

  const file: NewFile = { props: { mode: 0o644, mtimeNs: 1n }, place: { folder: 3, name: 'a' } }
  const { props, places } = written(new Map([[7, file]]))

  test('leaves places out where a frame does not hold them', () => {
    const room = smallFilesBytesMax - props.length
    expect(readNewFiles(besideOf({ bytes: new Uint8Array(room - places.length), props, places })).get(7)).toEqual(file)
    const without = { ...file, place: undefined }
    expect(readNewFiles(besideOf({ bytes: new Uint8Array(room - places.length + 1), props, places })).get(7)).toEqual(
      without,
    )
    expect(readNewFiles(besideOf({ bytes: none, props })).get(7)).toEqual(without)
  })

  test.each([
    ['a way up', '..'],
    ['the directory itself', '.'],
    ['nothing', ''],
    ['a path', 'a/b'],
    ['a NUL', 'a\0'],
    ['more than a name can be', 'n'.repeat(256)],
  ])('T1: a place that is named %s is refused', (_, bad) => {
    const to = new BytesWriter()
    writeWantProps(to, 0, file.props)
    writeWantPlace(to, 0, { folder: 0, name: bad })
    expect(() => readNewFiles(to.finish())).toThrow(Malformed)
  })

  test('a place of a file of which nothing else is said is refused', () => {
    expect(() => readNewFiles(places)).toThrow(Malformed)
  })
})
