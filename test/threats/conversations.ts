import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { absent, type Content, type Fingerprint, type Props } from '../../src/core/content.js'
import { Failure } from '../../src/core/failure.js'
import type { Operation } from '../../src/core/operation.js'
import { parentOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import { LinkFailure } from '../../src/host/sockets.js'
import { openRemote } from '../../src/replica/remote.js'
import type { Replica } from '../../src/replica/replica.js'
import { serve } from '../../src/replica/serving.js'
import { BytesWriter } from '../../src/wire/bytes.js'
import { writeItem } from '../../src/wire/pack.js'
import { LocalRootFixture } from '../replica/local-root.js'
import { HandClock, nothingElse, turns, WirePair } from '../replica/wire-pair.js'
import { Dice } from './dice.js'
import { bentFrame } from './fuzz.js'

/** What a conversation asks for. */
export const askedKinds = [
  'list',
  'identify',
  'rescan',
  'flush',
  'sync',
  'sync-all',
  'audit',
  'doubt',
  'acknowledge',
  'removing',
  'set-generation',
  'accept',
  'resume',
  'supply',
  'apply',
] as const
type Asked = (typeof askedKinds)[number]

export interface Conversed {
  /** Of both ends together, as they arrived. */
  frames: number
  links: number
  /** Requests that were answered as they should be. */
  readonly answered: Map<Asked, number>
  /** Changes that the lead was told of. */
  changes: number
  /** Operations that were carried out. */
  done: number
  /** Files whose bytes came whole. */
  supplied: number
  /** Links on which nothing was bent, and which stayed whole. */
  unbent: number
}

/** Frames that arrive on one link at most, and one of so many is bent, where any is. */
const framesMax = 300
const bentOneOf = 80
/** Turns of the event loop that an answer may take: one that was bent away never comes. */
const patienceTurns = 2_000
/** Turns in which all ends, once the link has. */
const endTurns = 20_000

/**
 * A lead and a served root converse as they are made to, with a root that changes by it, and somebody between them bends a frame now and
 * then, of either: deep in a conversation, where much is under way. Each link goes on or ends as a failure of the link; every call has an
 * end; nothing outside the root is touched. Where nothing is bent, as on every eighth link, the link never ends by itself.
 */
export async function converse(framesLeast: number, seed: number): Promise<Conversed> {
  const told: Conversed = { frames: 0, links: 0, answered: new Map(), changes: 0, done: 0, supplied: 0, unbent: 0 }
  const there = new LocalRootFixture()
  const dice = new Dice(seed)
  try {
    fs.mkdirSync(`${there.home}/canary`)
    fs.writeFileSync(`${there.home}/canary/secret`, 'secret')
    there.write('mine', 'mine')
    there.write('dir/inner', 'inner')
    there.link('way-out', '../canary')
    while (told.frames < framesLeast) {
      const linkSeed = dice.below(2 ** 31)
      try {
        await new Conversation(there, new Dice(linkSeed), told, told.links % 8 === 0).run()
      } catch (error) {
        throw new Error(`conversing with seed ${seed}, link ${told.links} of seed ${linkSeed}`, { cause: error })
      }
      told.links++
      expectNothingOutside(there)
    }
  } finally {
    await there.dispose()
  }
  return told
}

function expectNothingOutside({ home }: LocalRootFixture): void {
  const found = [fs.readdirSync(home).sort(), fs.readdirSync(`${home}/canary`)].map((names) => names.join())
  if (found[0] !== 'canary,root,state' || found[1] !== 'secret')
    throw new Error(`outside the root: ${found.join('; ')}`)
  if (fs.readFileSync(`${home}/canary/secret`, 'utf8') !== 'secret') throw new Error('the canary was written')
}

const paths = [
  'mine',
  'dir',
  'dir/inner',
  'dir/more',
  'way-out',
  'way-out/secret',
  'new',
  'new/deep',
  'new/deep/leaf',
].map(relPath) as [RelPath, ...RelPath[]]

class Conversation {
  private readonly wire = new WirePair()
  private readonly sockets = {
    connect: async () => this.wire.near,
    listen: () => Promise.reject(new Error('not here')),
  }
  /** What stands where, as far as the lead was told. */
  private readonly known = new Map<RelPath, Content>()
  private readonly batches: number[] = []
  private batch = 0
  private want = 0
  private frames = 0
  private isBent = false
  private isOver = false
  private underWay = 0

  constructor(
    private readonly there: LocalRootFixture,
    private readonly dice: Dice,
    private readonly told: Conversed,
    private readonly isHonest: boolean,
  ) {}

  /** From the greeting to the end of the link, and of all that was asked on it. */
  async run(): Promise<void> {
    const { wire, there } = this
    for (const end of [wire.near, wire.far]) end.bent = (frame) => this.bend(frame)
    const serving = serve(wire.far, {
      clock: there.clock,
      self: { agent: 'tandem', version: '0.1.0', run: 'peer-run' },
      rootFor: async () => there.replica(),
      ...nothingElse,
      emit: () => {},
      stop: new AbortController().signal,
    })
    const ends = [serving]
    await this.ended(this.talk(ends))
    wire.cut()
    let left = ends.length
    const over = () => {
      left--
    }
    for (const end of ends) end.then(over, over)
    for (let waited = 0; left > 0; waited++) {
      if (waited > endTurns) throw new Error(`${left} calls without an end`)
      await turns(1)
    }
    await Promise.all(ends)
    this.told.frames += this.frames
  }

  /** Until there were enough frames, or the link has ended, or an answer does not come. `calls`: what it began. */
  private async talk(calls: Promise<unknown>[]): Promise<void> {
    const stop = new AbortController()
    const reaching = openRemote(
      { sockets: this.sockets, clock: new HandClock() },
      { kind: 'wss', endpoint: { host: 'hub', port: 1 }, name: 'docs', secret },
      { agent: 'tandem', version: '0.1.0', run: 'lead-run' },
      stop.signal,
    )
    calls.push(this.ended(reaching))
    // A greeting that was bent away is waited for until the link ends.
    if (!(await this.patiently(reaching))) return
    const remote = await reaching
    const opening = remote.open({ pair, from: '', cursor: undefined, view, create: true, watch: false })
    calls.push(this.ended(opening))
    if (!(await this.patiently(opening))) return
    calls.push(this.ended(this.listen(remote, stop.signal)))
    while (!this.isOver && this.frames < framesMax) {
      const kind = this.dice.one(askedKinds)
      this.underWay++
      const call = this.ended(this.asked(remote, kind)).finally(() => {
        this.underWay--
      })
      calls.push(call)
      // Mostly one after the other, and up to four at a time.
      if (!(await this.patiently(call, 1 + this.dice.below(3) * 2))) return
    }
    stop.abort()
    if (!this.isHonest) return
    if (this.isOver) throw new Error('the link of two that keep the rules ended')
    this.told.unbent++
  }

  private async asked(remote: Replica, kind: Asked): Promise<void> {
    await this.ask(remote, kind)
    this.told.answered.set(kind, (this.told.answered.get(kind) ?? 0) + 1)
  }

  private bend(frame: Uint8Array): readonly Uint8Array[] {
    const { dice } = this
    this.frames++
    if (this.isHonest || dice.below(bentOneOf) > 0) return [frame]
    this.isBent = true
    switch (dice.below(6)) {
      case 0:
        return []
      case 1:
        return [frame, frame]
      default:
        return [bentFrame(frame, dice)]
    }
  }

  /** Resolves when it has ended, well or not. @throws what is not for a link to bring about */
  private async ended(call: Promise<unknown>): Promise<void> {
    await call.then(
      () => undefined,
      (error: unknown) => this.allow(error),
    )
  }

  private allow(error: unknown): void {
    if (!(error instanceof Failure)) throw error
    if (error instanceof LinkFailure) this.isOver = true
    if (error instanceof LinkFailure && !this.isBent && error.code !== 'lost' && error.code !== 'closed')
      throw new Error('the link of two that keep the rules ended', { cause: error })
  }

  /** Waits for it as long as something may still come, or so many are under way. False when it is in vain. */
  private async patiently(call: Promise<unknown>, most = 1): Promise<boolean> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    call.then(over, over)
    for (let waited = 0; !isOver && this.underWay >= most - 1; waited++) {
      if (waited > patienceTurns) {
        if (!this.isBent) throw new Error('no answer, and nothing was bent')
        return false
      }
      await turns(1)
      // What rests for a moment goes on.
      if (waited % 50 === 49) await this.there.pass(10)
    }
    return true
  }

  private async listen(remote: Replica, signal: AbortSignal): Promise<void> {
    for await (const { reports } of remote.changes(signal)) {
      this.told.changes++
      for (const report of reports) {
        if (report.kind === 'entry') this.know(report.path, report.found)
        else if (report.kind === 'listing')
          for (const { name, found } of report.members)
            this.know(report.path === rootPath ? relPath(name) : relPath(`${report.path}/${name}`), found)
      }
    }
  }

  private know(path: RelPath, found: { readonly kind: string } & object): void {
    const content = found as Content | { readonly kind: 'problem' }
    if (content.kind !== 'problem') this.known.set(path, content)
  }

  private some(): RelPath[] {
    const { dice } = this
    return [...new Set(Array.from({ length: 1 + dice.below(3) }, () => dice.one(paths)))]
  }

  /** None of them within another. */
  private apart(): RelPath[] {
    return this.dice.one([[rootPath], [relPath('dir')], [relPath('dir'), relPath('new')], [relPath('mine')]])
  }

  private async ask(remote: Replica, kind: Asked): Promise<unknown> {
    const { dice } = this
    switch (kind) {
      case 'list':
        return await remote.list(this.apart())
      case 'identify': {
        for (const report of await remote.identify(this.some()))
          if (report.kind === 'entry') this.know(report.path, report.found)
        return
      }
      case 'rescan':
        return await remote.rescan(this.some())
      case 'flush':
        return await remote.flush()
      case 'sync':
        return await remote.sync(this.some())
      case 'sync-all':
        return await remote.sync('all')
      case 'audit':
        return await remote.audit({
          paths: this.apart(),
          members: dice.below(2) > 0,
          perms: 0o777,
          times: true,
          except: dice.below(2) > 0 ? [relPath('dir/inner')] : [],
        })
      case 'doubt':
        return await remote.doubt(this.some())
      case 'acknowledge':
        return await remote.acknowledge(this.batches.splice(0))
      case 'removing':
        return await remote.removing(dice.below(4), dice.below(2) > 0)
      case 'set-generation':
        return await remote.setGeneration(pair, 1 + dice.below(1_000))
      case 'accept':
        return await remote.accept({
          path: dice.one(paths),
          pairs: [pair],
          confirmed: true,
          asksOnly: dice.below(2) > 0,
        })
      case 'resume':
        return await remote.resume(++this.batch, [{ want: ++this.want, path: dice.one(paths), sizeBytes: 1 << 20 }])
      case 'supply':
        return await this.supply(remote)
      case 'apply':
        return await this.apply(remote)
    }
  }

  private async supply(remote: Replica): Promise<void> {
    const wants = this.some().map((path) => {
      const content = this.known.get(path)
      const file = content?.kind === 'file' ? content : undefined
      return {
        want: ++this.want,
        path,
        sizeBytes: file?.sizeBytes ?? this.dice.below(9),
        mtimeNs: file?.props.mtimeNs ?? 0n,
        fingerprint: file?.fingerprint,
      }
    })
    const stop = new AbortController()
    for await (const { finished } of remote.supply(wants, stop.signal)) {
      this.told.supplied += finished.filter((one) => one.kind === 'whole').length
      if (this.dice.below(8) === 0) stop.abort()
    }
  }

  /** A batch of what the lead thinks is right, with what it takes to write its files. */
  private async apply(remote: Replica): Promise<void> {
    const batch = ++this.batch
    const pack = new BytesWriter()
    const operations: Operation[] = []
    for (const path of this.some()) operations.push(this.operation(path, pack))
    const bytes = pack.finish()
    if (bytes.length > 0) await remote.stage(batch, { bytes, props: new Uint8Array(0) })
    const outcomes = await remote.apply(batch, operations, 'boot')
    this.batches.push(batch)
    for (const outcome of outcomes) {
      if (outcome.kind !== 'done') continue
      this.told.done++
      this.known.set(outcome.path, outcome.content)
      if (outcome.from !== undefined) this.known.set(outcome.from, absent)
    }
  }

  private operation(path: RelPath, pack: BytesWriter): Operation {
    const { dice } = this
    const expect = this.known.get(path) ?? absent
    const props: Props = { mode: dice.one([0o644, 0o755, 0o700]), mtimeNs: BigInt(dice.below(1e9)) }
    switch (dice.below(6)) {
      case 0:
        return { op: 'create-directory', path, expect, props }
      case 1:
        return { op: 'write-symlink', path, expect, target: dice.one(['mine', '../canary', '/nowhere']) }
      case 2:
        return expect.kind === 'absent' ? this.written(path, pack, props) : { op: 'remove', path, expect }
      case 3:
        return expect.kind === 'absent' ? this.written(path, pack, props) : { op: 'set-props', path, expect, props }
      case 4: {
        const from = dice.one(paths)
        const there = this.known.get(from) ?? absent
        const isApart = !`${path}/`.startsWith(`${from}/`) && !`${from}/`.startsWith(`${path}/`)
        if (isApart && there.kind !== 'absent' && parentOf(from) !== path)
          return { op: 'rename', path, from, expect: there }
        return this.written(path, pack, props)
      }
      default:
        return this.written(path, pack, props)
    }
  }

  private written(path: RelPath, pack: BytesWriter, props: Props): Operation {
    const want = ++this.want
    const data = Buffer.alloc(this.dice.below(200), this.dice.below(256))
    const fingerprint = `sha256:${createHash('sha256').update(data).digest('hex')}` as Fingerprint
    writeItem(pack, { want, position: 0, data, fingerprint })
    return { op: 'write-file', path, expect: this.known.get(path) ?? absent, want, sizeBytes: data.length, props }
  }
}

const pair = 'a'.repeat(32)
const secret = { identity: 'laptop', key: new Uint8Array(32) }
const view = { ignore: [], ignorenot: [], paths: [] }
