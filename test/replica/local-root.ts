import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as nodePath from 'node:path'
import { Roots } from '../../src/agent/roots.js'
import type { MinFree } from '../../src/core/min-free.js'
import { type AbsPath, absPath, relPath } from '../../src/core/path.js'
import type { Host } from '../../src/host/host.js'
import { nodeClock } from '../../src/host/node/clock.js'
import { nodeFiles } from '../../src/host/node/files.js'
import { nodeMachine } from '../../src/host/node/machine.js'
import { nodeRandom } from '../../src/host/node/random.js'
import { nodeStores } from '../../src/host/node/store.js'
import type { DirtyPath, WatchBatch } from '../../src/host/watcher.js'
import type { Workers, World } from '../../src/host/workers.js'
import type { ReachedRoot } from '../../src/replica/replica.js'
import type { RootCare } from '../../src/replica/root.js'
import type { AgentEvent } from '../../src/status/event.js'
import { stepping, type Trap } from './jobs/stepping.js'
import type { RootFixture } from './root-fixture.js'
import { HandClock, turn, until } from './wire-pair.js'

/**
 * A root on the real file system, in the agent that keeps it: jobs run inline, whole, those of one lane in
 * order, and its watcher tells what the test tells it. The clock stands still but for what the test lets pass; file times are real.
 */
export class LocalRootFixture implements RootFixture {
  readonly home = fs.mkdtempSync(nodePath.join(tmpdir(), 'tandem-replica-'))
  readonly root: AbsPath = absPath(`${this.home}/root`)
  readonly clock = new HandClock()
  readonly events: AgentEvent[] = []
  readonly jobs: string[] = []
  /** Runs before each job: it may wait, or throw in its place. */
  beforeJob: (name: string, input: unknown) => void | Promise<void> = () => {}
  readonly host: Host
  readonly roots: Roots
  readonly trap: Trap
  /** What the watcher has in its queue: it is told when it is drained. */
  readonly queued: (() => void)[] = []
  care: RootCare = {}
  private fullScanSeconds: number | undefined
  private hears: (batch: WatchBatch) => void = () => {}

  constructor() {
    fs.mkdirSync(this.root)
    for (const name of ['state', 'state/roots']) fs.mkdirSync(`${this.home}/${name}`)
    const real = nodeClock()
    const clock = { now: () => this.clock.now(), wallNs: () => real.wallNs(), sleep: this.clock.sleep.bind(this.clock) }
    const { files, trap } = stepping(nodeFiles())
    this.trap = trap
    const world: World = {
      files,
      stores: nodeStores(),
      clock,
      random: nodeRandom(),
      machine: nodeMachine(),
    }
    const lanes = new Map<number, Promise<unknown>>()
    const workers: Workers = {
      count: 2,
      run: async (job, input, _, lane) => {
        const before = lane === undefined ? undefined : lanes.get(lane)
        const done = (async () => {
          await before
          await turn()
          await this.beforeJob(job.name, input)
          this.jobs.push(job.name)
          return job.run(world, input)
        })()
        if (lane !== undefined)
          lanes.set(
            lane,
            done.catch(() => undefined),
          )
        return await done
      },
      apart: () => ({ ...workers, count: 1, beats: 0 }),
      close: async () => {},
    }
    const refuse = () => Promise.reject(new Error('not here'))
    this.host = {
      clock,
      random: world.random,
      machine: world.machine,
      workers,
      stores: world.stores,
      sockets: { listen: refuse, connect: refuse },
      watcher: {
        watch: async (_, on) => {
          this.hears = on
          const drain = async () => {
            for (const tell of this.queued.splice(0)) tell()
          }
          return { fullScanSeconds: this.fullScanSeconds, drain, close: async () => {} }
        },
        close: async () => {},
      },
    }
    this.roots = new Roots(this.host, (event) => this.events.push(event), absPath(`${this.home}/state`))
  }

  /** `file`: of this file in the root, which is a root by itself. */
  replica(file?: string): ReachedRoot {
    return this.roots.replica(file === undefined ? this.root : absPath(this.abs(file)), this.care, true)
  }

  keepFree(minFree: MinFree): void {
    this.care = { ...this.care, minFree }
  }

  pass(durationMs: number): Promise<void> {
    return this.clock.pass(durationMs)
  }

  abs(path: string): string {
    return `${this.root}/${path}`
  }

  write(path: string, text: string): void {
    fs.mkdirSync(nodePath.dirname(this.abs(path)), { recursive: true })
    fs.writeFileSync(this.abs(path), text)
  }

  /** What is there, at and below a directory. */
  all(path: string): string[] {
    if (!fs.existsSync(this.abs(path))) return []
    return fs.readdirSync(this.abs(path), { recursive: true, encoding: 'utf8' }).map((below) => `${path}/${below}`)
  }

  link(path: string, target: string): void {
    fs.symlinkSync(target, this.abs(path))
  }

  append(path: string, text: string): void {
    fs.appendFileSync(this.abs(path), text)
  }

  keepOpen(path: string, text: string): () => void {
    fs.mkdirSync(nodePath.dirname(this.abs(path)), { recursive: true })
    const fd = fs.openSync(this.abs(path), 'w')
    fs.writeSync(fd, text)
    return () => fs.closeSync(fd)
  }

  read(path: string): string {
    return fs.readFileSync(this.abs(path), 'utf8')
  }

  chmod(path: string, mode: number): void {
    fs.chmodSync(this.abs(path), mode)
  }

  remove(path: string): void {
    fs.rmSync(this.abs(path), { recursive: true })
  }

  rename(path: string, to: string): void {
    fs.renameSync(this.abs(path), this.abs(to))
  }

  exchangeRoot(): () => void {
    fs.renameSync(this.root, `${this.home}/away`)
    fs.mkdirSync(this.root)
    fs.writeFileSync(this.abs('something else'), 'x')
    return () => {
      fs.rmSync(this.root, { recursive: true })
      fs.renameSync(`${this.home}/away`, this.root)
    }
  }

  unheard(step: () => void): void {
    step()
  }

  heard(...paths: readonly string[]): void {
    this.queued.push(() => this.hint(...paths))
  }

  async tell(...paths: readonly (string | DirtyPath)[]): Promise<void> {
    this.hint(...paths)
  }

  private hint(...paths: readonly (string | DirtyPath)[]): void {
    const dirty = paths.map((one): DirtyPath => {
      return typeof one === 'string' ? { path: relPath(one), depth: 'entry', closed: true } : one
    })
    this.hears({ dirty, lost: false, gone: false, unwatched: [] })
  }

  loseEvents(): void {
    this.queued.push(() => this.lose('lost'))
  }

  mayMissChanges(): void {
    this.fullScanSeconds = 10
  }

  /** The watcher has lost events, or the root itself. */
  lose(what: 'lost' | 'gone'): void {
    this.hears({ dirty: [], lost: what === 'lost', gone: what === 'gone', unwatched: [] })
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return until(condition, what)
  }

  async dispose(): Promise<void> {
    await this.roots.close().catch(() => undefined)
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}
