import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { BadPath } from '../../src/core/path.js'
import { FileFailure } from '../../src/host/files.js'
import { diskWorkers, EarlyWorkers } from '../../src/host/node/disk-workers.js'
import { ForeignFailure } from '../../src/host/node/foreign-failure.js'
import { giveBack, giveBackJob } from '../../src/host/node/give-back.js'
import { StartedThread } from '../../src/host/node/started-thread.js'
import { nodeWorkers } from '../../src/host/node/workers.js'
import { StoreFailure } from '../../src/host/store.js'
import { type Job, type Order, type Workers, WorkersClosed } from '../../src/host/workers.js'

const entry = new URL('./fixtures/job-thread.mjs', import.meta.url)

/** A job as the main thread knows it: what it does is in the fixture. */
function named<Input, Output>(name: string): Job<Input, Output> {
  return {
    name,
    run: () => {
      throw new Error('runs in a thread')
    },
  }
}

interface Wait {
  readonly log: Int32Array
  readonly letter: string
  readonly gate?: Int32Array
}

const echo = named<unknown, unknown>('echo')
const thread = named<undefined, number>('thread')
const throws = named<string, never>('throw')
const wait = named<Wait, number>('wait')
const fill: Job<Uint8Array<ArrayBuffer>, Uint8Array> = {
  ...named<Uint8Array<ArrayBuffer>, Uint8Array>('fill'),
  transferInput: (bytes) => [bytes.buffer],
}

describe('workers', () => {
  let workers: Workers | undefined
  afterEach(() => workers?.close())

  function start(count: number): Workers {
    workers = nodeWorkers(entry, count)
    return workers
  }

  test.each([1, 2, 3])('so many threads are there before there is work for them: %i', async (atOnce) => {
    const threads = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length
    const before = threads()
    workers = nodeWorkers(entry, 3, { atOnce })
    expect(threads() - before).toBe(atOnce)
  })

  test('threads that were started before the workers are the workers', async () => {
    const early = [new StartedThread(entry, false), new StartedThread(entry, false)]
    await Promise.all(early.map(({ loaded }) => loaded))
    workers = nodeWorkers(entry, 2, { atOnce: early })
    const seen = await Promise.all([0, 1].map((lane) => workers?.run(thread, undefined, 'edit', lane)))
    expect(seen.sort()).toEqual(early.map(({ worker }) => worker.threadId).sort())
  })

  test('a thread that failed before anybody had it fails every job', async () => {
    const missing = new StartedThread(new URL('./fixtures/no-such-file.mjs', import.meta.url), false)
    await missing.loaded
    workers = nodeWorkers(entry, 1, { atOnce: [missing] })
    await expect(workers.run(echo, 1, 'edit')).rejects.toThrow('a worker thread ended')
  })

  test('early workers are taken once, and closed when nobody takes them', async () => {
    const early = new EarlyWorkers(2, true)
    const taken = early.take()
    expect([taken.length, early.take().length]).toEqual([Math.min(2, diskWorkers()), 0])
    await early.close()
    await Promise.all(taken.map((one) => one.close()))
    const threads = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length
    const before = threads()
    const left = new EarlyWorkers(1, true)
    expect(threads()).toBe(before + 1)
    await left.close()
    expect(threads()).toBe(before)
  })

  test('input goes there and output comes back, by structured clone', async () => {
    const input = {
      text: '\udc80',
      big: 7n,
      bytes: Uint8Array.of(1, 2),
      list: [undefined, null],
      map: new Map([[1, 2]]),
    }
    expect(await start(1).run(echo, input, 'edit')).toEqual(input)
  })

  test('a thread that is ended while it loads does not take the process with it', () => {
    const script = fileURLToPath(new URL('./fixtures/ended-early.mjs', import.meta.url))
    const { status, signal, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' })
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
  })

  test('a thread gives back what it does not need, and goes on', async () => {
    const pool = start(1)
    expect(await pool.run(giveBackJob, null, 'bulk')).toBe(false)
    expect(await pool.run(echo, 1, 'edit')).toBe(1)
  })

  test('what nobody holds any more is collected at once', () => {
    let held: unknown[] | undefined = Array.from({ length: 1_000_000 }, (_, at) => ({ at }))
    const before = process.memoryUsage().heapUsed
    expect(held).toHaveLength(1_000_000)
    held = undefined
    giveBack()
    expect(process.memoryUsage().heapUsed).toBeLessThan(before - 20_000_000)
  })

  test('buffers named for transfer are handed over, not copied', async () => {
    const bytes = new Uint8Array(1 << 20)
    const answer = await start(1).run(fill, bytes, 'bulk')
    expect(bytes.length).toBe(0)
    expect(answer.length).toBe(1 << 20)
    expect(answer.every((byte) => byte === 7)).toBe(true)
  })

  test('a FileFailure is one again, with every field', async () => {
    const failure = await refusal(start(1).run(throws, 'file', 'edit'))
    expect(failure).toBeInstanceOf(FileFailure)
    expect(failure).toMatchObject({
      name: 'FileFailure',
      code: 'disk-full',
      path: '/a/b',
      call: 'pwrite',
      errno: 'ENOSPC',
      transient: true,
      message: 'pwrite /a/b: ENOSPC',
    })
  })

  test('a StoreFailure and a BadPath too, with the cause', async () => {
    const pool = start(1)
    const store = await refusal(pool.run(throws, 'store', 'edit'))
    expect(store).toBeInstanceOf(StoreFailure)
    expect(store).toMatchObject({ code: 'corrupt', transient: false, cause: { message: 'page 7' } })
    expect(await refusal(pool.run(throws, 'path', 'edit'))).toBeInstanceOf(BadPath)
  })

  test('a failure of a class that is not known here keeps name, code, message and whether waiting helps', async () => {
    const failure = await refusal(start(1).run(throws, 'odd', 'edit'))
    expect(failure).toBeInstanceOf(ForeignFailure)
    expect(failure).toMatchObject({ name: 'OddFailure', code: 'odd', message: 'strange', transient: true })
  })

  test.each(['bug', 'unclonable'])(
    'an error that is no Failure (%s) comes out, and the worker goes on',
    async (which) => {
      const pool = start(1)
      const error = await refusal(pool.run(throws, which, 'edit'))
      expect(error).toBeInstanceOf(Error)
      expect(`${error}`).toMatch(/a bug|outer/)
      expect(await pool.run(echo, 1, 'edit')).toBe(1)
    },
  )

  test('an input or output that cannot be cloned is an error of its job alone', async () => {
    const pool = start(1)
    await expect(pool.run(echo, () => {}, 'edit')).rejects.toThrow(/could not be cloned/)
    await expect(pool.run(named('unclonable-answer'), undefined, 'edit')).rejects.toThrow(/could not be cloned/)
    expect(await pool.run(echo, 1, 'edit')).toBe(1)
  })

  test('an unknown job is an error', async () => {
    await expect(start(1).run(named('never'), undefined, 'edit')).rejects.toThrow(/no job of the name never/)
  })

  test('what waits runs in the order edit, small, bulk, and in the order given within one', async () => {
    const pool = start(1)
    const { log, gate } = shared()
    const runs = [pool.run(wait, { log, letter: '!', gate }, 'bulk'), pool.run(wait, { log, letter: '.' }, 'bulk')]
    // One runs and one waits at the worker; these are sorted.
    const letters: [string, Order][] = [
      ['b', 'bulk'],
      ['s', 'small'],
      ['e', 'edit'],
      ['B', 'bulk'],
      ['S', 'small'],
      ['E', 'edit'],
    ]
    for (const [letter, order] of letters) runs.push(pool.run(wait, { log, letter }, order))
    open(gate)
    await Promise.all(runs)
    expect(read(log)).toBe('!.eEsSbB')
  })

  test('jobs of one lane run on one thread in the order given, whatever their order is', async () => {
    const pool = start(2)
    const { log, gate } = shared()
    const orders: Order[] = ['bulk', 'edit', 'small', 'edit', 'bulk', 'edit', 'small', 'edit']
    const runs = orders.map((order, at) => pool.run(wait, { log, letter: `${at}`, gate }, order, 5))
    open(gate)
    expect(new Set(await Promise.all(runs)).size).toBe(1)
    expect(read(log)).toBe('01234567')
  })

  test('jobs of no lane use every thread, also while a lane is busy', async () => {
    const pool = start(2)
    const { log, gate } = shared()
    const held = pool.run(wait, { log, letter: 'h', gate }, 'bulk', 0)
    const free = [await pool.run(thread, undefined, 'edit'), await pool.run(thread, undefined, 'edit')]
    open(gate)
    expect(free).not.toContain(await held)
  })

  test('close lets the jobs in hand finish and refuses those that wait and those that come', async () => {
    const pool = start(1)
    const { log, gate } = shared()
    const inHand = [pool.run(wait, { log, letter: 'a', gate }, 'edit'), pool.run(wait, { log, letter: 'b' }, 'edit')]
    const waiting = [
      refusal(pool.run(wait, { log, letter: 'c' }, 'edit')),
      refusal(pool.run(wait, { log, letter: 'd' }, 'edit', 3)),
    ]
    const closing = pool.close()
    const late = refusal(pool.run(echo, 1, 'edit'))
    open(gate)
    await Promise.all(inHand)
    for (const failure of await Promise.all([...waiting, late])) expect(failure).toBeInstanceOf(WorkersClosed)
    await closing
    expect(read(log)).toBe('ab')
    await pool.close()
  })

  test('workers apart are not held up by the others, nor these by them; closing does not wait for a job that hangs', async () => {
    const pool = start(1)
    const apart = pool.apart()
    const { log, gate } = shared()
    const hanging = apart.run(wait, { log, letter: 'h', gate }, 'edit')
    const other = pool.apart()
    expect(new Set([await pool.run(thread, undefined, 'edit'), await other.run(thread, undefined, 'edit')]).size).toBe(
      2,
    )
    await pool.close()
    expect(await refusal(apart.run(echo, 1, 'edit'))).toBeInstanceOf(WorkersClosed)
    open(gate)
    // It is back, and its thread ends then.
    await hanging
  })

  test('a thread that ends by itself rejects its jobs in hand and every job after', async () => {
    const pool = start(1)
    await pool.run(echo, 1, 'edit')
    const { log, gate } = shared()
    const dying = pool.run(named('die'), undefined, 'edit')
    const next = refusal(pool.run(wait, { log, letter: 'n', gate }, 'edit'))
    // Its answer and its end are on the way at once: either may be first.
    await Promise.allSettled([dying])
    expect(await next).toMatchObject({ message: 'wait: a worker thread ended', cause: { message: 'uncaught' } })
    expect(await refusal(pool.run(echo, 2, 'edit', 1))).toMatchObject({ message: 'echo: a worker thread ended' })
  })
})

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

function shared(): { readonly log: Int32Array; readonly gate: Int32Array } {
  return { log: new Int32Array(new SharedArrayBuffer(256)), gate: new Int32Array(new SharedArrayBuffer(4)) }
}

function open(gate: Int32Array): void {
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
}

function read(log: Int32Array): string {
  return String.fromCharCode(...log.subarray(1, 1 + (log[0] ?? 0)))
}
