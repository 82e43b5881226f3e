import { afterEach, describe, expect, test } from 'vitest'
import {
  anyone,
  bufferedLowBytes,
  frameBytesMax,
  type LinkFailure,
  type Listener,
  type Place,
  type Secret,
  type Socket,
  type Sockets,
  sameUser,
  type Target,
} from '../../src/host/sockets.js'
import { codeOf } from './code-of.js'

/** `place`: where to listen and to connect. */
export interface SocketsFixture {
  readonly sockets: Sockets
  readonly place: Place
}

const secret: Secret = { identity: 'laptop', key: new Uint8Array(32).fill(7) }
const otherKey = new Uint8Array(32).fill(8)

/** Who connects to a place, with a key where one is asked for. */
export function targetAt(place: Place, offered: Secret = secret): Target {
  switch (place.kind) {
    case 'wss':
      return { kind: 'wss', endpoint: place.endpoint, secret: offered }
    case 'ws':
      return { kind: 'ws', endpoint: place.endpoint }
    default:
      return place
  }
}

const identities = { wss: secret.identity, ws: anyone, socket: sameUser }

/** The contract of Sockets, for every implementation and every carrier. */
export function describeSockets(
  name: string,
  make: () => SocketsFixture | Promise<SocketsFixture>,
  kind: Place['kind'] = 'wss',
): void {
  describe(`sockets: ${name}`, () => {
    const closing: (() => unknown)[] = []
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close()
    })

    interface Hub {
      readonly sockets: Sockets
      readonly listener: Listener
      readonly accepted: Inbox<Socket>
      readonly refused: Inbox<LinkFailure>
    }

    async function hub(): Promise<Hub> {
      const { sockets, place } = await make()
      const accepted = new Inbox<Socket>()
      const refused = new Inbox<LinkFailure>()
      const listener = await sockets.listen(
        place,
        (identity) => (identity === secret.identity ? secret.key : undefined),
        (socket) => accepted.put(socket),
        (failure) => refused.put(failure),
      )
      closing.push(() => listener.close())
      return { sockets, listener, accepted, refused }
    }

    /** Both ends of one connection. */
    async function pair(): Promise<{ near: Socket; far: Socket; hub: Hub }> {
      const there = await hub()
      const near = await there.sockets.connect(targetAt(there.listener.place), new AbortController().signal)
      closing.push(() => near.close('end of test'))
      const far = await there.accepted.take()
      closing.push(() => far.close('end of test'))
      return { near, far, hub: there }
    }

    test('both ends know the identity and the far address', async () => {
      const { near, far } = await pair()
      expect(near.identity).toBe(identities[kind])
      expect(far.identity).toBe(identities[kind])
      expect(near.remote).toMatch(kind === 'socket' ? /^\{\/.+\}/ : /:\d+$/)
      expect(far.remote).toMatch(kind === 'socket' ? /^\{\/.+\} \d+$/ : /:\d+$/)
    })

    test('messages come whole and in order, in both directions', async () => {
      const { near, far } = await pair()
      const atNear = started(near)
      far.start({ frame: (bytes) => far.send(bytes), drained() {}, closed() {} })
      const sizes = [0, 1, 125, 126, 65_535, 65_536, 3, 300_000, 2]
      for (const [index, size] of sizes.entries()) near.send(pattern(size, index))
      for (const [index, size] of sizes.entries()) {
        const frame = await atNear.frames.take()
        expect(frame.length).toBe(size)
        expect(Buffer.from(frame).equals(pattern(size, index))).toBe(true)
      }
    })

    test('what came is counted, all of what was delivered', async () => {
      const { near, far } = await pair()
      started(near)
      const atFar = started(far)
      const before = far.receivedBytes
      let delivered = 0
      for (const size of [1, 70_000, 300_000]) {
        near.send(pattern(size, 0))
        delivered += (await atFar.frames.take()).length
        expect(far.receivedBytes - before).toBeGreaterThanOrEqual(delivered)
        expect(far.receivedBytes - before).toBeLessThan(delivered + 100)
      }
    })

    test('messages that came before start wait for it', async () => {
      const { near, far } = await pair()
      const atNear = started(near)
      near.send(Uint8Array.of(1))
      near.send(Uint8Array.of(2))
      // Something that travels the other way, so that the two have certainly been sent.
      far.send(Uint8Array.of(3))
      await atNear.frames.take()
      const atFar = started(far)
      expect([...(await atFar.frames.take())]).toEqual([1])
      expect([...(await atFar.frames.take())]).toEqual([2])
    })

    test('a message of frameBytesMax passes', async () => {
      const { near, far } = await pair()
      started(near)
      const atFar = started(far)
      near.send(pattern(frameBytesMax, 5))
      const frame = await atFar.frames.take()
      expect(Buffer.from(frame).equals(pattern(frameBytesMax, 5))).toBe(true)
    })

    test('a longer message closes the connection as a breach of the protocol', async () => {
      const { near, far } = await pair()
      const atNear = started(near)
      const atFar = started(far)
      near.send(new Uint8Array(frameBytesMax + 1))
      expect((await atFar.closed.take()).code).toBe('protocol')
      expect(atFar.frames.size).toBe(0)
      await atNear.closed.take()
    })

    test.runIf(kind === 'wss')('a wrong key is refused, and both ends say so', async () => {
      const { sockets, listener, accepted, refused } = await hub()
      const attempt = sockets.connect(
        targetAt(listener.place, { identity: 'laptop', key: otherKey }),
        new AbortController().signal,
      )
      expect(await codeOf(attempt)).toBe('wrong-key')
      expect((await refused.take()).code).toBe('wrong-key')
      expect(accepted.size).toBe(0)
    })

    test.runIf(kind === 'wss')('an unknown name is refused, and both ends say so', async () => {
      const { sockets, listener, accepted, refused } = await hub()
      const attempt = sockets.connect(
        targetAt(listener.place, { identity: 'stranger', key: secret.key }),
        new AbortController().signal,
      )
      expect(await codeOf(attempt)).toBe('unknown-peer')
      expect((await refused.take()).code).toBe('unknown-peer')
      expect(accepted.size).toBe(0)
    })

    test('nobody listens: refused', async () => {
      const { sockets, listener } = await hub()
      await listener.close()
      expect(await codeOf(sockets.connect(targetAt(listener.place), new AbortController().signal))).toBe('refused')
    })

    test('a port that is taken: port-in-use', async () => {
      const { sockets, listener } = await hub()
      const second = sockets.listen(
        listener.place,
        () => undefined,
        () => {},
        () => {},
      )
      expect(await codeOf(second)).toBe('port-in-use')
    })

    test('the far end sees the reason of a close, this end that it closed', async () => {
      const { near, far } = await pair()
      const atNear = started(near)
      const atFar = started(far)
      near.send(Uint8Array.of(9))
      near.close('root-busy')
      expect([...(await atFar.frames.take())]).toEqual([9])
      const seen = await atFar.closed.take()
      expect(seen.code).toBe('lost')
      expect(seen.message).toContain('root-busy')
      expect((await atNear.closed.take()).code).toBe('closed')
    })

    test('closed is told once, and nothing is delivered after it', async () => {
      const { near, far } = await pair()
      const atNear = started(near)
      started(far)
      near.close('one')
      near.close('two')
      far.send(Uint8Array.of(1))
      await atNear.closed.take()
      near.send(Uint8Array.of(1))
      near.close('three')
      expect(atNear.closed.size).toBe(0)
      expect(atNear.frames.size).toBe(0)
    })

    test('a connection survives the end of its listener', async () => {
      const { near, far, hub: there } = await pair()
      const atFar = started(far)
      started(near)
      await there.listener.close()
      near.send(Uint8Array.of(4))
      expect([...(await atFar.frames.take())]).toEqual([4])
    })

    test('a paused receiver holds the sender up, and loses nothing', async () => {
      const { near, far } = await pair()
      const total = 96
      const frameBytes = 512 * 1024
      let received = 0
      const all = deferred()
      far.start({
        frame(bytes) {
          expect(bytes.length).toBe(frameBytes)
          expect(bytes[0]).toBe(received % 251)
          if (++received === total) all.resolve()
        },
        drained() {},
        closed() {},
      })
      far.pause()
      let sent = 0
      let highest = 0
      const atNear = started(near, () => pump())
      const pump = () => {
        while (sent < total && near.bufferedBytes < bufferedLowBytes) {
          const frame = new Uint8Array(frameBytes)
          frame[0] = sent++ % 251
          near.send(frame)
          highest = Math.max(highest, near.bufferedBytes)
        }
      }
      pump()
      // An answer from the far end proves that the near end had its chance to push more.
      for (let i = 0; i < 20; i++) {
        far.send(Uint8Array.of(i))
        await atNear.frames.take()
        pump()
      }
      expect(sent).toBeLessThan(total)
      expect(received).toBeLessThanOrEqual(1)
      far.resume()
      await all.promise
      expect(highest).toBeLessThanOrEqual(bufferedLowBytes + frameBytes + 1_024)
    })

    test('drained is told after a send that found, or left, the low mark reached', async () => {
      const { near, far } = await pair()
      const atFar = started(far)
      far.pause()
      const drained = deferred()
      started(near, () => drained.resolve())
      let sent = 0
      while (near.bufferedBytes < bufferedLowBytes && sent < 200) {
        near.send(new Uint8Array(700 * 1024))
        sent += 1
      }
      far.resume()
      for (let i = 0; i < sent; i++) await atFar.frames.take()
      if (sent < 200) await drained.promise
      expect(near.bufferedBytes).toBeLessThan(bufferedLowBytes)
    })

    test('an attempt that is aborted ends as closed', async () => {
      const { sockets, listener } = await hub()
      const before = AbortSignal.abort()
      expect(await codeOf(sockets.connect(targetAt(listener.place), before))).toBe('closed')
      const during = new AbortController()
      const attempt = codeOf(sockets.connect(targetAt(listener.place), during.signal))
      during.abort()
      expect(await attempt).toBe('closed')
    })
  })
}

interface Started {
  readonly frames: Inbox<Uint8Array>
  readonly closed: Inbox<LinkFailure>
}

function started(socket: Socket, drained: () => void = () => {}): Started {
  const frames = new Inbox<Uint8Array>()
  const closed = new Inbox<LinkFailure>()
  socket.start({ frame: (bytes) => frames.put(bytes), drained, closed: (failure) => closed.put(failure) })
  return { frames, closed }
}

function pattern(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed) % 253
  return bytes
}

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}

/** What arrived and was not yet looked at. */
class Inbox<T> {
  private readonly items: T[] = []
  private readonly takers: ((item: T) => void)[] = []

  get size(): number {
    return this.items.length
  }

  put(item: T): void {
    const taker = this.takers.shift()
    if (taker === undefined) this.items.push(item)
    else taker(item)
  }

  take(): Promise<T> {
    const item = this.items.shift()
    if (item !== undefined) return Promise.resolve(item)
    return new Promise((resolve) => this.takers.push(resolve))
  }
}
