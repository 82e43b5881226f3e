import { describe, expect, test } from 'vitest'
import { encodeName } from '../../../src/core/path.js'
import { decodeDirectories } from '../../../src/host/node/inotify/dirents.js'
import { eachEvent, type InotifyEvent } from '../../../src/host/node/inotify/events.js'

interface Raw {
  readonly watch: number
  readonly bits: number
  readonly name: Uint8Array
  readonly padding: number
}

function raw(watch: number, bits: number, name: Uint8Array | string, padding = 1): Raw {
  return { watch, bits, name: typeof name === 'string' ? encodeName(name) : name, padding }
}

function bytesOf(events: readonly Raw[]): Buffer {
  return Buffer.concat(
    events.map(({ watch, bits, name, padding }) => {
      const header = Buffer.alloc(16)
      const nameBytes = name.length === 0 ? 0 : name.length + padding
      header.writeInt32LE(watch, 0)
      header.writeUInt32LE(bits, 4)
      header.writeUInt32LE(nameBytes, 12)
      return Buffer.concat([header, name, Buffer.alloc(nameBytes - name.length)])
    }),
  )
}

function decode(bytes: Buffer, length = bytes.length): { events: InotifyEvent[]; whole: boolean } {
  const events: InotifyEvent[] = []
  const whole = eachEvent(bytes, length, (event) => events.push(event))
  return { events, whole }
}

describe('events of inotify', () => {
  const rows: [what: string, events: Raw[], names: string[]][] = [
    ['no event', [], []],
    ['an event of the directory itself has no name', [raw(1, 4, '')], ['']],
    ['a name ends at its NUL', [raw(1, 0x100, 'name', 12)], ['name']],
    ['a name may fill its room', [raw(1, 0x100, 'name', 0)], ['name']],
    ['several, one after the other', [raw(1, 2, 'a', 15), raw(2, 8, ''), raw(1, 2, 'b', 15)], ['a', '', 'b']],
    ['a name in UTF-8', [raw(1, 2, 'größe-漢-😀', 3)], ['größe-漢-😀']],
    [
      'bytes that are not UTF-8 stand for themselves',
      [raw(1, 2, Uint8Array.of(0x66, 0xff, 0xfe), 5)],
      ['f\udcff\udcfe'],
    ],
    ['a name of 255 bytes', [raw(1, 2, 'x'.repeat(255))], ['x'.repeat(255)]],
    ['a newline and a backslash', [raw(1, 2, 'a\n\\b', 4)], ['a\n\\b']],
  ]
  test.each(rows)('%s', (_, events, names) => {
    const found = decode(bytesOf(events))
    expect(found.events.map((event) => event.name)).toEqual(names)
    expect(found.events.map(({ watch, bits }) => [watch, bits])).toEqual(events.map(({ watch, bits }) => [watch, bits]))
    expect(found.whole).toBe(true)
  })

  test('the overflow has the watch -1, and bit 30 is no sign', () => {
    const { events } = decode(bytesOf([raw(-1, 0x4000, ''), raw(3, 0x4000_0100, 'd', 15)]))
    expect(events).toEqual([
      { watch: -1, bits: 0x4000, name: '' },
      { watch: 3, bits: 0x4000_0100, name: 'd' },
    ])
  })

  test('a buffer that is cut anywhere gives the whole events before the cut, and says so', () => {
    const first = bytesOf([raw(1, 2, 'first', 11)])
    const both = Buffer.concat([first, bytesOf([raw(1, 2, 'second', 10)])])
    for (let length = 1; length < both.length; length++) {
      const { events, whole } = decode(both, length)
      expect(events.length).toBe(length < first.length ? 0 : 1)
      expect(whole).toBe(length === first.length)
    }
  })
})

describe('directories of a listing', () => {
  function dirent(type: number, name: Uint8Array | string): Buffer {
    const bytes = typeof name === 'string' ? encodeName(name) : Buffer.from(name)
    const length = Math.ceil((19 + bytes.length + 1) / 8) * 8
    const entry = Buffer.alloc(length)
    entry.writeUInt16LE(length, 16)
    entry[18] = type
    bytes.copy(entry, 19)
    return entry
  }

  const rows: [what: string, entries: Buffer[], names: string[]][] = [
    ['nothing', [], []],
    ['a directory', [dirent(4, 'd')], ['d']],
    ['files, links, fifos and sockets are left out', [8, 10, 1, 12].map((type) => dirent(type, 'f')), []],
    ['what the file system does not tell may be one', [dirent(0, 'x')], ['x']],
    ['itself and its parent are left out', [dirent(4, '.'), dirent(4, '..'), dirent(4, '...')], ['...']],
    ['a name that is not UTF-8', [dirent(4, Uint8Array.of(0xe4))], ['\udce4']],
    ['a long name beside a short one', [dirent(4, 'n'.repeat(255)), dirent(4, 'm')], ['n'.repeat(255), 'm']],
  ]
  test.each(rows)('%s', (_, entries, names) => {
    const bytes = Buffer.concat([...entries, Buffer.alloc(300, 1)])
    const found: string[] = []
    decodeDirectories(bytes, Buffer.concat(entries).length, found)
    expect(found).toEqual(names)
  })
})
