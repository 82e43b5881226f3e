import { describe, expect, test } from 'vitest'
import type { Format } from '../../../src/host/compression.js'
import { nodeCompression } from '../../../src/host/node/compression.js'

const compression = nodeCompression()
const text = Buffer.from('the same words over and over, and a few others. '.repeat(5_000))

test('brotli is everywhere, zstd where this Node has it, and then it comes first', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const hasZstd = major > 23 || (major === 23 && minor >= 8) || (major === 22 && minor >= 15)
  expect(compression.formats).toEqual(hasZstd ? ['zstd', 'brotli'] : ['brotli'])
})

describe.each<Format>([...compression.formats])('%s', (format) => {
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['one byte', Uint8Array.of(7)],
    ['a text', text],
    ['a whole frame of noughts', new Uint8Array(1 << 20)],
  ])('%s comes back as it was', async (_, bytes) => {
    const shorter = await compression.shorten(format, bytes)
    const whole = await compression.restore(format, shorter, bytes.length)
    expect(whole === undefined ? undefined : Buffer.compare(whole, bytes)).toBe(0)
  })

  test('a text gets shorter', async () => {
    expect((await compression.shorten(format, text)).length).toBeLessThan(text.length / 10)
  })

  test.each<[string, (shorter: Uint8Array) => Uint8Array, number]>([
    ['more bytes than were said', (shorter) => shorter, text.length - 1],
    ['less bytes than were said', (shorter) => shorter, text.length + 1],
    ['none where bytes are', (shorter) => shorter, 0],
    ['what was cut off', (shorter) => shorter.subarray(0, shorter.length / 2), text.length],
    ['nothing at all', () => new Uint8Array(0), text.length],
    ['what never was of the format', () => text.subarray(0, 1_000), text.length],
  ])('%s: not restored', async (_, damage, sizeBytes) => {
    const shorter = damage(await compression.shorten(format, text))
    expect(await compression.restore(format, shorter, sizeBytes)).toBeUndefined()
  })

  test('T8: of what becomes a thousand times as long no more than a frame is ever unpacked', async () => {
    const bomb = await compression.shorten(format, new Uint8Array(256 << 20))
    expect(bomb.length).toBeLessThan(1 << 20)
    const before = process.memoryUsage().rss
    expect(await compression.restore(format, bomb, 1 << 20)).toBeUndefined()
    expect(process.memoryUsage().rss - before).toBeLessThan(48 << 20)
  })
})
