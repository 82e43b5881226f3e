import { describe, expect, test } from 'vitest'
import { Outage } from '../../src/engine/outage.js'
import { LinkFailure } from '../../src/host/sockets.js'
import { ReplicaFailure } from '../../src/replica/replica.js'
import { HandClock } from '../replica/wire-pair.js'

const lost = new LinkFailure('lost', 'lost')
const longest = { bytes: (count: number) => new Uint8Array(count), fraction: () => 1 }

/** What is waited in `totalMs` of an outage, and what of it was told. */
async function waits(failure: LinkFailure | ReplicaFailure, totalMs: number) {
  const clock = new HandClock()
  const outage = new Outage(clock, longest)
  const waited: number[] = []
  let told = 0
  while (clock.now() < totalMs) {
    const { retryInMs, isNews } = outage.failed(failure)
    waited.push(retryInMs)
    if (isNews) told++
    await clock.pass(retryInMs)
  }
  return { waited, told, outage }
}

describe('how long is waited', () => {
  test('a link that was cut: ten times a second for a while, then four times, told once', async () => {
    const { waited, told } = await waits(lost, 60_000)
    expect(waited).toEqual([...Array(150).fill(100), ...Array(180).fill(250)])
    expect(told).toBe(1)
  })

  test('one that stays away: ever more seldom, up to half a minute, and each time is told', async () => {
    const { waited } = await waits(lost, 300_000)
    const [first, ...later] = waited.slice(waited.lastIndexOf(250) + 1)
    expect([first, ...later.slice(0, 6)]).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 25_600])
  })

  test('a far end that lets nobody in: ever more seldom from the first, and each time is told', async () => {
    const { waited, told } = await waits(new LinkFailure('unknown-peer', 'not known'), 30_000)
    expect(waited.slice(0, 7)).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800])
    expect(told).toBe(waited.length)
  })

  test('a root that is away: doubling, up to five seconds', async () => {
    const { waited } = await waits(new ReplicaFailure('missing', '/root', 'it is not there'), 20_000)
    expect(waited).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
  })

  test('another reason is news, and so is the same one after it worked', async () => {
    const { outage } = await waits(lost, 2_000)
    expect(outage.failed(lost).isNews).toBe(false)
    expect(outage.failed(new LinkFailure('refused', 'refused'))).toMatchObject({ isNews: true })
    outage.end()
    expect(outage.failed(lost)).toEqual({ retryInMs: 100, isNews: true })
  })
})
