import { Roots } from '../../src/agent/roots.js'
import type { MinFree } from '../../src/core/min-free.js'
import { absPath, join, parentOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { Host } from '../../src/host/host.js'
import type { Watcher } from '../../src/host/watcher.js'
import type { ReachedRoot } from '../../src/replica/replica.js'
import type { RootCare } from '../../src/replica/root.js'
import { stepping, type Trap } from '../replica/jobs/stepping.js'
import type { RootFixture } from '../replica/root-fixture.js'
import { turn } from '../replica/wire-pair.js'
import { driven } from './driven.js'
import { SimFiles } from './files.js'
import { type Place, type SimHost, simHost } from './host.js'
import { Machine } from './machine.js'
import { Network } from './network.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import { StoreShelf } from './store.js'
import { UserFiles } from './user-files.js'
import { calm, type Watching } from './watcher.js'

const home = absPath('/home')
const root = absPath('/home/root')
const stateDir = absPath('/state')

/** Virtual time after which a test waits in vain. */
const patienceNs = 120e9

/**
 * A root on a simulated machine, in the agent that keeps it: disk, workers, watcher and clock are the simulated ones, and
 * virtual time runs while the test awaits something. The watcher hears of what the user does by itself.
 */
export class SimRootFixture implements RootFixture {
  readonly trap: Trap
  readonly host: Host
  /** Another machine on the network of this one. */
  readonly elsewhere: SimHost
  private readonly scheduler: Scheduler
  private readonly users: UserFiles
  private readonly roots: Roots
  private readonly watching: Watching = { ...calm }
  private readonly care: { -readonly [Key in keyof RootCare]: RootCare[Key] } = {}
  /** Batches that the watcher has told so far. */
  private told = 0

  constructor() {
    const dice = new Dice(1)
    this.scheduler = new Scheduler(dice.stream('ties'))
    const network = new Network(this.scheduler, dice)
    const start = (name: string) => {
      const machine = new Machine(this.scheduler, name, dice)
      network.add(machine)
      const place: Place = { machine, shelf: new StoreShelf(machine), network, watching: this.watching }
      return simHost(place, 'agent', dice)
    }
    this.elsewhere = start('lead')
    const { process, host, workers } = start('peer')
    const { machine } = process
    for (const path of [root, absPath(`${stateDir}/roots`)]) machine.makeDirectories(path)
    this.users = new UserFiles(machine, home)
    const { files, trap } = stepping(new SimFiles(process))
    this.trap = trap
    const { stores, clock, random } = host
    workers.provide({ files, stores, clock, random, machine: host.machine })
    this.host = { ...host, watcher: this.counted(host.watcher) }
    this.roots = new Roots(this.host, () => {}, stateDir)
    driven(this.scheduler)
  }

  replica(): ReachedRoot {
    return this.roots.replica(root, this.care, true)
  }

  keepFree(minFree: MinFree): void {
    this.care.minFree = minFree
  }

  pass(durationMs: number): Promise<void> {
    return this.host.clock.sleep(durationMs)
  }

  write(path: string, text: string): void {
    const at = this.at(path)
    this.makeParents(at)
    if (this.users.find(at) === undefined) {
      this.users.create(at, text)
      return
    }
    const handle = this.users.open(at)
    handle.truncate(0)
    handle.append(text)
    handle.close()
  }

  append(path: string, text: string): void {
    const handle = this.users.open(this.at(path))
    handle.append(text)
    handle.close()
  }

  keepOpen(path: string, text: string): () => void {
    const at = this.at(path)
    this.makeParents(at)
    this.users.create(at, '')
    const handle = this.users.open(at)
    handle.append(text)
    return () => handle.close()
  }

  read(path: string): string {
    const inode = this.users.find(this.at(path))
    if (inode === undefined) throw new Error(`no file ${path}`)
    return inode.text
  }

  remove(path: string): void {
    this.users.removeTree(this.at(path))
  }

  rename(path: string, to: string): void {
    this.users.rename(this.at(path), this.at(to))
  }

  exchangeRoot(): () => void {
    const away = relPath('away')
    const place = relPath('root')
    this.users.rename(place, away)
    this.users.makeDirectory(place)
    this.write('something else', 'x')
    return () => {
      this.users.removeTree(place)
      this.users.rename(away, place)
    }
  }

  unheard(step: () => void): void {
    this.watching.drops = 1
    step()
    this.watching.drops = 0
  }

  /** It is, by itself. */
  heard(): void {}

  async tell(): Promise<void> {
    const { told } = this
    await this.until(() => this.told > told, 'what the watcher has heard')
  }

  loseEvents(): void {
    this.watching.overflow = 1
  }

  mayMissChanges(): void {
    this.care.watcher = 'poll'
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadlineNs = this.scheduler.timeNs + patienceNs
    while (!condition()) {
      if (this.scheduler.timeNs > deadlineNs) throw new Error(`in vain: ${what}`)
      await turn()
    }
  }

  async dispose(): Promise<void> {
    await this.roots.close()
  }

  private counted(watcher: Watcher): Watcher {
    return {
      watch: (path, on, kind) =>
        watcher.watch(
          path,
          (batch) => {
            on(batch)
            this.told += 1
          },
          kind,
        ),
      close: () => watcher.close(),
    }
  }

  private at(path: string): RelPath {
    return path.startsWith('../') ? relPath(path.slice(3)) : join(relPath('root'), path)
  }

  private makeParents(path: RelPath): void {
    const parent = parentOf(path)
    if (parent === rootPath) return
    this.makeParents(parent)
    if (this.users.find(parent) === undefined) this.users.makeDirectory(parent)
  }
}
