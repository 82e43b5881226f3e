import { expect, test } from 'vitest'
import { bytesOf, durationOf } from '../../src/config/amounts.js'

const durations: [text: string, ms: number | undefined][] = [
  ['30d', 30 * 86_400_000],
  ['1.5h', 5_400_000],
  ['90 min', 5_400_000],
  ['2W', 14 * 86_400_000],
  ['1y', 365 * 86_400_000],
  ['0', 0],
  ['0d', 0],
  ['30', undefined],
  ['30m', undefined],
  ['d', undefined],
  ['-1d', undefined],
  ['', undefined],
]

test.each(durations)('%j as a time', (text, ms) => {
  expect(durationOf(text)).toBe(ms)
})

const sizes: [text: string, bytes: number | undefined][] = [
  ['10GiB', 10 * 1024 ** 3],
  ['500 MB', 500_000_000],
  ['4096', 4_096],
  ['1.5 kib', 1_536],
  ['0', 0],
  ['10G', undefined],
  ['99999999999PiB', undefined],
  ['many', undefined],
]

test.each(sizes)('%j as a size', (text, bytes) => {
  expect(bytesOf(text)).toBe(bytes)
})
