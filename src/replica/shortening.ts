import type { Compression, Format } from '../host/compression.js'
import { frameBytesMax, LinkFailure } from '../host/sockets.js'
import { encode, type Message } from '../wire/message.js'

/** Shorter frames are sent as they are: there is little to gain, and whoever waits for them waits for nothing else. */
const shortenedBytesMin = 4 * 1024
/** What is looked at of a long frame first. */
const sampleBytes = 16 * 1024
/** What must be left of it, at most, to be worth the work at both ends. */
const worthShare = 0.9
/** Frames that go untried after so many in a row that did not get shorter. */
const untriedMax = 16

/** Bulk of one link on its way out and in: shorter where both ends can, where the way is worth it, and where it helps. */
export class Shortening {
  private readonly own: readonly Format[]
  private format: Format | undefined
  /** The frame before, once it may go. */
  private before: Promise<unknown> = Promise.resolve()
  private vain = 0
  private untried = 0

  /** `compression`: undefined where the way is too short for it to pay. */
  constructor(private readonly compression: Compression | undefined) {
    this.own = compression?.formats ?? []
  }

  /** What the greeting tells of it. */
  get features(): readonly string[] {
    return this.own
  }

  /** The features of the far end are known. */
  agree(features: readonly string[]): void {
    this.format = this.own.find((format) => features.includes(format))
  }

  get isOn(): boolean {
    return this.format !== undefined
  }

  /** The frame that goes out for this one, in the order of the calls. */
  outgoing(frame: Uint8Array): Promise<Uint8Array> {
    const { before } = this
    const shorter = this.shortened(frame)
    const next = before.then(() => shorter)
    this.before = next
    return next
  }

  /** @throws LinkFailure 'protocol' when it is not what the far end may send */
  async restored({ format, sizeBytes, bytes }: Message & { readonly kind: 'shortened' }): Promise<Uint8Array> {
    const { compression } = this
    if (compression === undefined || !this.own.includes(format))
      throw new LinkFailure('protocol', `${format}, which was not offered`)
    if (sizeBytes > frameBytesMax) throw new LinkFailure('protocol', `a frame that becomes one of ${sizeBytes} bytes`)
    const whole = await compression.restore(format, bytes, sizeBytes)
    if (whole === undefined) throw new LinkFailure('protocol', `a frame that is not ${sizeBytes} bytes in ${format}`)
    return whole
  }

  private async shortened(frame: Uint8Array): Promise<Uint8Array> {
    const { compression, format } = this
    if (compression === undefined || format === undefined || frame.length < shortenedBytesMin) return frame
    if (this.untried > 0) {
      this.untried--
      return frame
    }
    if (!(await this.isWorth(compression, format, frame))) return this.inVain(frame)
    const bytes = await compression.shorten(format, frame)
    if (bytes.length > frame.length * worthShare) return this.inVain(frame)
    this.vain = 0
    return encode({ kind: 'shortened', format, sizeBytes: frame.length, bytes })
  }

  /** Its middle is taken for the whole. */
  private async isWorth(compression: Compression, format: Format, frame: Uint8Array): Promise<boolean> {
    if (frame.length < 4 * sampleBytes) return true
    const from = Math.floor((frame.length - sampleBytes) / 2)
    const bytes = await compression.shorten(format, frame.subarray(from, from + sampleBytes))
    return bytes.length <= sampleBytes * worthShare
  }

  /** What comes next in the same stream is most likely of the same kind. */
  private inVain(frame: Uint8Array): Uint8Array {
    this.untried = Math.min(untriedMax, this.vain)
    this.vain = Math.min(untriedMax, Math.max(1, this.vain * 2))
    return frame
  }
}
