import { RE2JS } from 're2js'
import { expect, test, vi } from 'vitest'
import { absent } from '../../src/core/content.js'
import { relPath } from '../../src/core/path.js'
import type { Report } from '../../src/core/report.js'
import type { Clock } from '../../src/host/clock.js'
import type { View } from '../../src/replica/replica.js'
import { viewFilter } from '../../src/replica/view.js'

const view: View = { ignore: ['Name *.o'], ignorenot: ['Name keep.o'], paths: [] }
const reports = ['a', 'a/x.o', 'a/keep.o', 'b.o', 'b.o/below'].map((path): Report => {
  return { kind: 'entry', path: relPath(path), found: absent }
})

test('ignored paths and what is below them are left out', () => {
  expect(pathsOf(viewFilter(view, ticking(0))(reports))).toEqual(['a', 'a/keep.o'])
})

test('patterns of more than 16 Ki characters are not looked at here: everything is told, but for what `path` leaves out', () => {
  const ignore = Array.from({ length: 100 }, (_, at) => `Name ${'x'.repeat(200)}${at}`)
  const big: View = { ignore: ['Name *.o', ...ignore], ignorenot: [], paths: [relPath('a')] }
  expect(pathsOf(viewFilter(big, ticking(0))(reports))).toEqual(['a', 'a/x.o', 'a/keep.o'])
})

test('T8: patterns that cost more than 0.1 ms a path are given up after 200 ms', () => {
  let asked = 0
  const seen = viewFilter(
    view,
    ticking(50, () => asked++),
  )
  expect(
    pathsOf(seen(Array.from({ length: 40 }, () => reports).flat())).filter((path) => path === 'a/x.o').length,
  ).toBe(39)
  expect(asked).toBeLessThan(20)
})

test.each([
  ['of repetitions', Array.from({ length: 237 }, (_, at) => `Regex ${'x{1000}'.repeat(9)}${at}`)],
  ['many, of which none is large', Array.from({ length: 300 }, (_, at) => `Regex (a|b)*x{30}${at}`)],
])('T8: patterns too large to be made in a moment are given up before they are made: %s', (_, ignore) => {
  const made = vi.spyOn(RE2JS, 'compile')
  const big: View = { ignore: ['Name *.o', ...ignore], ignorenot: [], paths: [relPath('a')] }
  expect(pathsOf(viewFilter(big, ticking(0))(reports))).toEqual(['a', 'a/x.o', 'a/keep.o'])
  const characters = made.mock.calls.reduce((sum, [source]) => sum + source.length, 0)
  expect(characters).toBeLessThan(3_000)
  made.mockRestore()
})

test('T8: a very long path is not matched here, and is told', () => {
  const long = relPath(`${'d/'.repeat(600)}x.o`)
  const told = viewFilter(view, ticking(0))([{ kind: 'entry', path: long, found: absent }, ...reports])
  expect(pathsOf(told)).toEqual([long, 'a', 'a/keep.o'])
})

function pathsOf(some: readonly Report[]): string[] {
  return some.map(({ path }) => path)
}

/** Each look at it takes `stepMs`. */
function ticking(stepMs: number, looked: () => void = () => {}): Clock {
  let time = 0
  return {
    now: () => {
      looked()
      time += stepMs
      return time
    },
    wallNs: () => 0n,
    sleep: () => Promise.reject(new Error('not here')),
  }
}
