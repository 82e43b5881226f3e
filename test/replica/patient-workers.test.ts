import { beforeEach, expect, test } from 'vitest'
import type { ApartWorkers, Job } from '../../src/host/workers.js'
import { PatientWorkers } from '../../src/replica/patient-workers.js'
import { HandClock, turns } from './wire-pair.js'

const look: Job<string, string> = { name: 'look', run: (_, input) => input }

/** Workers whose jobs end when the test says so. */
class Held implements ApartWorkers {
  readonly count = 1
  beats = 0
  readonly jobs: { end(): void; fail(error: Error): void }[] = []
  run<Input, Output>(job: Job<Input, Output>, input: NoInfer<Input>): Promise<Output> {
    // The job of these tests touches no world.
    return new Promise((resolve, reject) =>
      this.jobs.push({ end: () => resolve(job.run(undefined as never, input)), fail: reject }),
    )
  }
  apart(): ApartWorkers {
    return this
  }
  async close(): Promise<void> {}
}

let held: Held
let clock: HandClock
let workers: PatientWorkers
let told: string[]
beforeEach(() => {
  held = new Held()
  clock = new HandClock()
  told = []
  workers = new PatientWorkers(held, clock, '/mnt/nas', 1_000)
  workers.whenLate = ({ code }) => told.push(code)
})

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    await clock.pass(Math.min(50, left))
    await turns(3)
  }
}

/** What became of it so far. */
function outcomeOf(work: Promise<string>): { text: string } {
  const outcome = { text: 'waits' }
  work.then(
    (value) => {
      outcome.text = value
    },
    (error: { readonly code?: string; readonly message: string }) => {
      outcome.text = error.code ?? error.message
    },
  )
  return outcome
}

test('what ends in time ends as it does', async () => {
  const good = outcomeOf(workers.run(look, 'a', 'edit'))
  const bad = outcomeOf(workers.run(look, 'b', 'edit'))
  await pass(900)
  held.jobs[0]?.end()
  held.jobs[1]?.fail(new Error('no'))
  await turns(5)
  expect([good.text, bad.text, told]).toEqual(['a', 'no', []])
})

test('S2-27: a job that does not return is not answering, and so is what is asked until it is back', async () => {
  const first = outcomeOf(workers.run(look, 'a', 'edit'))
  const behind = outcomeOf(workers.run(look, 'b', 'edit'))
  await pass(1_200)
  expect([first.text, behind.text, told]).toEqual(['not-answering', 'not-answering', ['not-answering']])
  const later = outcomeOf(workers.run(look, 'c', 'edit'))
  await turns(5)
  expect(later.text).toBe('not-answering')
  expect(held.jobs).toHaveLength(2)
  held.jobs[0]?.end()
  await turns(5)
  expect(outcomeOf(workers.run(look, 'd', 'edit')).text).toBe('waits')
  await turns(5)
  expect(held.jobs).toHaveLength(2)
  held.jobs[1]?.end()
  await turns(5)
  const again = outcomeOf(workers.run(look, 'e', 'edit'))
  held.jobs[2]?.end()
  await turns(5)
  expect([again.text, told]).toEqual(['e', ['not-answering']])
})

test('a job is given time as long as calls return in it, or jobs before it end', async () => {
  const long = outcomeOf(workers.run(look, 'a', 'edit'))
  const behind = outcomeOf(workers.run(look, 'b', 'edit'))
  for (let i = 0; i < 6; i++) {
    held.beats++
    await pass(800)
  }
  held.jobs[0]?.end()
  await pass(800)
  held.jobs[1]?.end()
  await turns(5)
  expect([long.text, behind.text, told]).toEqual(['a', 'b', []])
})

test('S2-27: a root that hangs a second time is told a second time', async () => {
  outcomeOf(workers.run(look, 'a', 'edit'))
  await pass(1_200)
  held.jobs[0]?.end()
  await turns(5)
  outcomeOf(workers.run(look, 'b', 'edit'))
  await pass(1_200)
  expect(told).toEqual(['not-answering', 'not-answering'])
})

test('S2-27: what hangs takes no worker of another root: that has its own', async () => {
  const others = new Held()
  const elsewhere = new PatientWorkers(others, clock, '/mnt/other', 1_000)
  outcomeOf(workers.run(look, 'a', 'edit'))
  await pass(1_200)
  expect(told).toEqual(['not-answering'])
  const free = outcomeOf(elsewhere.run(look, 'b', 'edit'))
  others.jobs[0]?.end()
  await turns(5)
  expect(free.text).toBe('b')
})
