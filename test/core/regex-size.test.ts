import * as fc from 'fast-check'
import { RE2JS, RE2JSException } from 're2js'
import { expect, test } from 'vitest'
import { regexSize } from '../../src/core/regex-size.js'

function compiled(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(source, RE2JS.DOTALL)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    return undefined
  }
}

test.each([
  // what it is                              expression                                 at most
  ['one of an ignore list', '.*/cache/.*', 16],
  ['with groups and repetitions', '.*/[0-9a-f]{8}-[0-9a-f]{4}/.*\\.(jpg|png)', 60],
  ['a repetition', 'x{1000}', 1_010],
  ['repetitions of repetitions', '((ab){10}c){20}', 1_200],
  ['a class is made once, however often it is repeated', '(?i)[a-\u{1f600}]{100}', 410],
  ['a character by its number is no repetition', '\\x{1000}', 5],
  ['nothing, or a character, or nothing', '|\\]|', 10],
  ['nor is what is quoted', '\\Qa{1000}\\E', 10],
])('%s: %s', (_, source, most) => {
  const { size } = regexSize(source)
  expect(compiled(source)?.programSize()).toBeLessThanOrEqual(size)
  expect(size).toBeLessThanOrEqual(most)
})

const pieces =
  'a|b|ab|(|)|(?:|(?i)|(?i:|(?s-i:|(?P<n>|(?<m>||||{2}|{3,}|{0,7}|{2,5}|{0}|{11}|{|}|*|+|?|*?|{2}?|[|]|^|$|-|[^|[a-f]|[]x{5}]|[[:alpha:](]|[[:|:]|[a-[:|[\\](]|\\Q|\\E|\\\\|\\(|\\[|\\]|\\x{41}|\\x41|\\pL|\\p{Greek}|\\d|\\07|.|/|,|5|\\b|\u{1f600}'
const expressions = fc
  .array(fc.constantFrom('|', ...pieces.split('|').filter((piece) => piece !== '')), { maxLength: 12 })
  .map((some) => some.join(''))

test('no expression compiles to more than was said', () => {
  fc.assert(
    fc.property(expressions, (source) => {
      const regex = compiled(source)
      if (regex !== undefined) expect(regexSize(source).size).toBeGreaterThanOrEqual(regex.programSize())
    }),
    { numRuns: 20_000 },
  )
})

test('the plain expression matches what the expression does, and stands beside others', () => {
  fc.assert(
    fc.property(expressions, fc.array(fc.constantFrom(...'abAB(){}[]5/,-'), { maxLength: 6 }), (source, letters) => {
      const regex = compiled(source)
      if (regex === undefined) return
      const text = letters.join('')
      const plain = compiled(`(?:${regexSize(source).plain})|(?:nothing)`)
      expect([source, plain?.testExact(text)]).toEqual([source, regex.testExact(text)])
    }),
    { numRuns: 10_000 },
  )
})
