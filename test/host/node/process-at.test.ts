import { expect, test } from 'vitest'
import { factsIn, processAt } from '../../../src/host/node/process-at.js'

const fields = 'S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 11 0 4711 22 33'

const rows: [what: string, stat: string, began: string | undefined][] = [
  ['a plain program', `12 (node) ${fields}`, '4711'],
  ['a name with spaces, parentheses and a line break', `12 (a) R (\n) ${fields}`, '4711'],
  ['a line that is cut off', '12 (node) S 1', undefined],
]
test.each(rows)('when a process began: %s', (_, stat, began) => {
  expect(factsIn(stat)).toEqual({ began })
})

test('a zombie holds nothing any more', () => {
  expect(factsIn(`12 (node) ${fields.replace('S', 'Z')}`)).toBeUndefined()
})

test.runIf(process.platform === 'linux')('this process and the first one of the machine have a start', () => {
  expect(processAt(process.pid)?.began).toMatch(/^[0-9]+$/)
  expect(processAt(1)?.began).toMatch(/^[0-9]+$/)
})
