import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { dial } from '../../../src/host/node/dial.js'
import { onLinux } from '../../../src/host/node/libc.js'
import { eventually } from '../../e2e/harness.js'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Listens, and takes nobody in until it is told to: there is room for two, and the SYN of a third is dropped. */
async function busyListener() {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     const server = require('node:net').createServer(() => {})
     server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
       parentPort.postMessage(server.address().port)
       Atomics.wait(workerData, 0, 0)
     })`,
    { eval: true, workerData: gate },
  )
  const open = () => {
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
  }
  ends.push(() => {
    open()
    return worker.terminate()
  })
  const port = await new Promise<number>((resolve) => worker.once('message', resolve))
  for (let at = 0; at < 2; at++) {
    const guest = connect({ host: '127.0.0.1', port })
    ends.push(() => guest.destroy())
    await new Promise((resolve) => guest.once('connect', resolve))
  }
  return { port, open }
}

/** How often the kernel asked again on each connection to the port that is not answered yet: proc(5), /proc/net/tcp. */
function retransmits(port: number): number[] {
  const to = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2]?.endsWith(to) === true && fields[3] === '02')
    .map((fields) => Number.parseInt(fields[6] ?? '', 16))
}

function outcome() {
  const state: { stream?: Socket; error?: Error } = {}
  return {
    state,
    dialled: {
      connected(stream: Socket) {
        ends.push(() => stream.destroy())
        state.stream = stream
      },
      failed(error: Error) {
        state.error = error
      },
    },
  }
}

describe.skipIf(!onLinux)('dial, while packets are lost', () => {
  test('asks every half second, and the first that gets through is the connection', async () => {
    const { port, open } = await busyListener()
    const { state, dialled } = outcome()
    ends.push(dial({ host: '127.0.0.1', port }, dialled))
    // By itself TCP asks again after 1 s, and ever more seldom.
    await eventually(
      () => Math.max(...retransmits(port)) >= 2,
      () => 'the second question of TCP',
    )
    expect(retransmits(port).length).toBeGreaterThan(2)
    open()
    await eventually(
      () => state.stream !== undefined,
      () => 'a connection',
    )
    expect(retransmits(port)).toEqual([])
  })

  test('ends everything that was begun, when told so', async () => {
    const { port } = await busyListener()
    const { state, dialled } = outcome()
    const end = dial({ host: '127.0.0.1', port }, dialled)
    await eventually(
      () => retransmits(port).length >= 2,
      () => 'a second dial',
    )
    end()
    await eventually(
      () => retransmits(port).length === 0,
      () => 'the end of both',
    )
    expect(state).toEqual({})
  })
})

test('what is answered at once is dialled once', async () => {
  let guests = 0
  const server = createServer(() => {
    guests++
  })
  ends.push(() => server.close())
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      resolve(bound !== null && typeof bound === 'object' ? bound.port : 0)
    })
  })
  const { state, dialled } = outcome()
  dial({ host: 'localhost', port }, dialled)
  await eventually(
    () => state.stream !== undefined && guests > 0,
    () => 'a connection',
  )
  expect(guests).toBe(1)
})

test('a refusal is an answer', async () => {
  const { state, dialled } = outcome()
  dial({ host: '127.0.0.1', port: 1 }, dialled)
  await eventually(
    () => state.error !== undefined,
    () => 'the refusal',
  )
  expect(state.error).toMatchObject({ code: 'ECONNREFUSED' })
})
