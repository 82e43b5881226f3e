import { deepEqual, equal } from 'node:assert/strict'
import * as fs from 'node:fs'
import type { RelPath } from '../../src/core/path.js'
import { nodeCompression } from '../../src/host/node/compression.js'
import type { Replica } from '../../src/replica/replica.js'
import { serve } from '../../src/replica/serving.js'
import type { AgentEvent } from '../../src/status/event.js'
import type { Hello } from '../../src/wire/hello.js'
import { decode, encode, type Message, protocolVersion } from '../../src/wire/message.js'
import { LocalRootFixture } from '../replica/local-root.js'
import { nothingElse, until, WirePair } from '../replica/wire-pair.js'

export const hello: Hello = {
  kind: 'hello',
  lowest: protocolVersion,
  highest: protocolVersion,
  role: 'lead',
  identity: 'laptop',
  agent: 'tandem',
  version: '0.1.0',
  run: 'hostile-run',
  features: [],
}

/** A served root on the real file system with a folder beside it that nobody may reach, and a lead that keeps no rule. */
export class HostileLead {
  readonly there = new LocalRootFixture()
  readonly seen: Message[] = []
  readonly events: AgentEvent[] = []
  /** What the served root lets a peer do. */
  rights: (replica: Replica) => Replica = (replica) => replica
  /** As this lead calls its pair. */
  pair = 'a'.repeat(32)
  private wire = new WirePair()
  private serving: Promise<void> = Promise.resolve()
  private nextId = 1

  constructor(private readonly mine: 'mine' | undefined) {
    fs.mkdirSync(`${this.there.home}/canary`)
    fs.writeFileSync(`${this.there.home}/canary/secret`, 'secret')
    this.there.write('mine', 'mine')
    this.there.write('dir/inner', 'inner')
    fs.symlinkSync('../canary', this.there.abs('way-out'))
  }

  /** A new link, greeted, with the root open unless `open` is false. */
  async begin(open = true, file: string | null = this.mine ?? null, greeting: Message = hello): Promise<void> {
    this.wire = new WirePair()
    this.seen.length = 0
    const { clock } = this.there
    this.wire.far.compression = nodeCompression()
    this.serving = serve(this.wire.far, {
      clock,
      self: { agent: 'tandem', version: '0.1.0', run: 'peer-run' },
      rootFor: async () => this.rights(this.there.replica(this.mine)),
      ...nothingElse,
      emit: (event) => this.events.push(event),
      stop: new AbortController().signal,
    })
    this.wire.near.start({ frame: (frame) => this.seen.push(decode(frame)), drained() {}, closed() {} })
    this.send(greeting)
    if (!open) return
    const request = {
      pair: this.pair,
      from: '',
      cursor: undefined,
      view: { ignore: [], ignorenot: [], paths: [] },
      create: true,
      watch: false,
      file: file === null ? undefined : unchecked(file),
    }
    const { kind } = await this.ask({ kind: 'open', id: this.id(), more: false, root: 'docs', request })
    if (kind !== 'opened') throw new Error(`the root did not open: ${kind}`)
  }

  id(): number {
    return this.nextId++
  }

  send(message: Message): void {
    this.wire.near.send(encode(message))
  }

  raw(frame: Uint8Array): void {
    this.wire.near.send(frame)
  }

  /** Sends a request and waits for the last of its answers, or the end of the link. */
  async ask(message: Message & { readonly id: number }): Promise<Message> {
    this.send(message)
    const ends = ({ kind, ...rest }: Message) =>
      kind === 'refuse' ||
      ('id' in rest && rest.id === message.id && ['opened', 'done', 'failed', 'reports', 'outcomes'].includes(kind))
    await until(() => this.seen.some(ends), `an answer to ${message.kind}`)
    const answer = this.seen.find(ends)
    if (answer === undefined) throw new Error(`no answer to ${message.kind}`)
    return answer
  }

  get isRefused(): boolean {
    return this.seen.some(({ kind }) => kind === 'refuse')
  }

  /** Refused, and the agent there has finished with the link. */
  async refused(what: string): Promise<void> {
    await until(() => this.isRefused, `refusal of ${what}`)
    await this.serving
  }

  /** Nothing outside the root was touched, and what is in it is the user's still. */
  expectUnharmed(): void {
    this.expectNothingOutside()
    deepEqual(fs.readdirSync(this.there.root).sort(), ['.tandem', 'dir', 'mine', 'way-out'])
    equal(this.there.read('mine'), 'mine')
    equal(this.there.read('dir/inner'), 'inner')
  }

  /** Nothing outside the root was touched: what is in it a lead may change. */
  expectNothingOutside(): void {
    deepEqual(fs.readdirSync(this.there.home).sort(), ['canary', 'root', 'state'])
    deepEqual(fs.readdirSync(`${this.there.home}/canary`), ['secret'])
    equal(fs.readFileSync(`${this.there.home}/canary/secret`, 'utf8'), 'secret')
  }

  /** Ends the link from here. */
  async cut(): Promise<void> {
    this.wire.cut()
    await this.serving
  }

  async end(): Promise<void> {
    await this.cut()
    await this.there.dispose()
  }
}

/** A path that no door of this house would have let in: only a far end can say it. */
export function unchecked(text: string): RelPath {
  return text as RelPath
}
