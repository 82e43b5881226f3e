import { expect, test } from 'vitest'
import { lifeOf } from '../../src/cli/start-early.js'

const rows: [line: string, life: ReturnType<typeof lifeOf>][] = [
  ['sync a b', 'pass'],
  ['sync a wss://host/tree --batch', 'pass'],
  ['/a /b', 'pass'],
  ['./a ./b', 'pass'],
  ['watch a b', 'resident'],
  ['run --config f', 'resident'],
  ['serve --config f', 'resident'],
  ['serve --stdio', undefined],
  ['serve -stdio', undefined],
  ['', undefined],
  ['--version', undefined],
  ['--help', undefined],
  ['status', undefined],
  ['log /a', undefined],
  ['restore /a/b', undefined],
]

test.each(rows)('threads are started early for what opens roots itself: %s', (line, life) => {
  expect(lifeOf(line.split(' '))).toBe(life)
})
