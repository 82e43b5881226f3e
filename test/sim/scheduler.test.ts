import { expect, test } from 'vitest'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'

test('tasks run in the order of their times, and time stands where the last one was due', async () => {
  const scheduler = new Scheduler(new Dice(1))
  const seen: number[] = []
  for (const at of [30, 10, 20, 40]) scheduler.after(at, 'task', () => seen.push(at))
  expect(await scheduler.run(() => seen.length === 3, 1_000)).toBe(true)
  expect([seen, scheduler.timeNs]).toEqual([[10, 20, 30], 30])
  expect(await scheduler.run(() => seen.length === 9, 1_000)).toBe(false)
  expect(scheduler.timeNs).toBe(1_000)
})

test('of tasks that are due at one time the seed says which is first', async () => {
  const orders = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const scheduler = new Scheduler(new Dice(seed))
    const seen: string[] = []
    for (const name of ['a', 'b', 'c']) scheduler.after(5, name, () => seen.push(name))
    await scheduler.pass(10)
    orders.add(seen.join(''))
  }
  expect(orders.size).toBeGreaterThan(3)
})

test('everything that promises make of a task is done before the next task', async () => {
  const scheduler = new Scheduler(new Dice(1))
  const seen: string[] = []
  const chain = async (): Promise<void> => {
    for (let link = 0; link < 50; link++) await Promise.resolve()
    seen.push('chain')
  }
  scheduler.after(1, 'first', () => void chain())
  scheduler.after(2, 'second', () => seen.push('second'))
  await scheduler.pass(10)
  expect(seen).toEqual(['chain', 'second'])
})

test('a cancelled task does not run', async () => {
  const scheduler = new Scheduler(new Dice(1))
  let ran = false
  scheduler
    .after(1, 'task', () => {
      ran = true
    })
    .cancel()
  await scheduler.pass(10)
  expect(ran).toBe(false)
})

test('the trace tells histories apart', async () => {
  const traceOf = async (labels: readonly string[]): Promise<string> => {
    const scheduler = new Scheduler(new Dice(1))
    for (const [at, label] of labels.entries()) scheduler.after(at, label, () => {})
    await scheduler.pass(10)
    return scheduler.trace
  }
  expect(await traceOf(['a', 'b'])).toBe(await traceOf(['a', 'b']))
  expect(await traceOf(['a', 'b'])).not.toBe(await traceOf(['b', 'a']))
})

test('a stream depends on the seed and its name, not on what others drew', () => {
  const dice = new Dice(5)
  const before = dice.stream('faults').next()
  dice.next()
  dice.stream('other').next()
  expect(dice.stream('faults').next()).toBe(before)
  expect(new Dice(6).stream('faults').next()).not.toBe(before)
})
