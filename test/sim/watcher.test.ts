import { expect, test } from 'vitest'
import { absPath, parentOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { Watch, WatchBatch } from '../../src/host/watcher.js'
import { simHost } from './host.js'
import { Machine } from './machine.js'
import { Network } from './network.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import { StoreShelf } from './store.js'
import { heldBy, treeOf } from './tree.js'
import { UserFiles } from './user-files.js'
import { User } from './users.js'
import { covers, type Watching } from './watcher.js'

const root = absPath('/roots/root')

/** A root that is watched, and its users. */
class Watched {
  readonly scheduler: Scheduler
  readonly machine: Machine
  readonly files: UserFiles
  /** One directory up: where things come from and go to. */
  readonly above: UserFiles
  readonly watching: Watching = { delayNs: { least: 100_000, most: 5_000_000 }, overflow: 0, drops: 0 }
  batches: WatchBatch[] = []
  private watch: Watch | undefined

  constructor(readonly dice: Dice) {
    this.scheduler = new Scheduler(dice)
    this.machine = new Machine(this.scheduler, 'alpha', dice)
    this.machine.makeDirectories(root)
    this.files = new UserFiles(this.machine, root)
    this.above = new UserFiles(this.machine, absPath('/roots'))
  }

  async start(): Promise<void> {
    const { machine, scheduler, watching } = this
    const network = new Network(scheduler, this.dice)
    const { host } = simHost({ machine, shelf: new StoreShelf(machine), network, watching }, 'agent', this.dice)
    void host.watcher
      .watch(root, (batch) => this.batches.push(batch))
      .then((watch) => {
        this.watch = watch
      })
    await scheduler.run(() => this.watch !== undefined, 1e9)
  }

  async reported(): Promise<WatchBatch> {
    let drained = false
    void this.watch?.drain().then(() => {
      drained = true
    })
    await this.scheduler.run(() => drained, this.scheduler.timeNs + 1e9)
    const batches = this.batches.splice(0)
    return {
      dirty: batches.flatMap((batch) => batch.dirty),
      lost: batches.some((batch) => batch.lost),
      gone: batches.some((batch) => batch.gone),
      unwatched: [],
    }
  }
}

const p = relPath

interface Row {
  readonly what: string
  readonly covers: readonly string[]
  prepare?(world: Watched): void
  change(world: Watched): void
  later?: { change(world: Watched): void; readonly covers: readonly string[] }
}

function populated({ files }: Watched): void {
  files.makeDirectory(p('pop'))
  files.makeDirectory(p('pop/s1'))
  files.create(p('pop/s1/f'), 'before')
}

const rows: Row[] = [
  { what: 'a new file', covers: ['f'], change: ({ files }) => files.create(p('f'), 'text') },
  {
    what: 'a file in directories that appeared in one burst',
    covers: ['pop', 'pop/s1/f'],
    change: populated,
    later: { change: ({ files }) => files.create(p('pop/s1/later'), ''), covers: ['pop/s1/later'] },
  },
  {
    what: 'a populated directory that was renamed, and later writes deep in it',
    covers: ['pop', 'moved'],
    prepare: populated,
    change: ({ files }) => files.rename(p('pop'), p('moved')),
    later: { change: ({ files }) => files.create(p('moved/s1/later'), ''), covers: ['moved/s1/later'] },
  },
  {
    what: 'a populated directory that was moved in',
    covers: ['in/s1/f'],
    prepare: (world) => {
      populated(world)
      world.above.rename(p('root/pop'), p('outside'))
    },
    change: ({ above }) => above.rename(p('outside'), p('root/in')),
    later: { change: ({ files }) => files.create(p('in/s1/later'), ''), covers: ['in/s1/later'] },
  },
  {
    what: 'an atomic save',
    covers: ['f', 'draft'],
    prepare: ({ files }) => files.create(p('f'), 'before'),
    change: ({ files }) => {
      files.create(p('draft'), 'after')
      files.rename(p('draft'), p('f'))
    },
  },
  {
    what: 'a directory removed and made again',
    covers: ['pop'],
    prepare: populated,
    change: (world) => {
      world.files.removeTree(p('pop'))
      populated(world)
    },
    later: { change: ({ files }) => files.create(p('pop/s1/later'), ''), covers: ['pop/s1/later'] },
  },
]

test.each(rows)('it reports $what', async ({ covers: paths, prepare, change, later }) => {
  const world = new Watched(new Dice(1))
  prepare?.(world)
  await world.start()
  change(world)
  const batch = await world.reported()
  for (const path of paths) expect(covers(batch, p(path))).toBe(true)
  if (later === undefined) return
  later.change(world)
  const next = await world.reported()
  for (const path of later.covers) expect(covers(next, p(path))).toBe(true)
})

test('a store through a mapping is not told, the last close is', async () => {
  const world = new Watched(new Dice(1))
  world.files.create(p('f'), 'text')
  await world.start()
  const handle = world.files.open(p('f'))
  handle.store('T', 0)
  expect((await world.reported()).dirty).toEqual([])
  handle.close()
  expect((await world.reported()).dirty).toEqual([{ path: 'f', depth: 'entry', closed: true }])
})

test('what happens in a directory that was moved out, or in the private folder, is not told', async () => {
  const world = new Watched(new Dice(1))
  populated(world)
  world.files.makeDirectory(p('.tandem'))
  await world.start()
  world.above.rename(p('root/pop'), p('outside'))
  await world.reported()
  world.above.create(p('outside/s1/later'), '')
  world.files.create(p('.tandem/x'), '')
  expect((await world.reported()).dirty).toEqual([])
})

test('a root that is moved away is gone', async () => {
  const world = new Watched(new Dice(1))
  await world.start()
  world.above.rename(p('root'), p('elsewhere'))
  expect((await world.reported()).gone).toBe(true)
})

test('an overflow says that something was lost, and watching goes on', async () => {
  const world = new Watched(new Dice(1))
  await world.start()
  world.watching.overflow = 1
  populated(world)
  expect((await world.reported()).lost).toBe(true)
  world.watching.overflow = 0
  world.files.create(p('pop/s1/later'), '')
  expect(covers(await world.reported(), p('pop/s1/later'))).toBe(true)
})

const seeds = Array.from({ length: 20 }, (_, index) => index)

test.each(seeds)('a model fed by reports alone equals the tree (seed %i)', async (seed) => {
  const world = new Watched(new Dice(seed))
  await world.start()
  const model = new Map<RelPath, string>()
  const someone = new User('alpha', world.files, world.dice.stream('user'), world.scheduler)
  for (let burst = 0; burst < 8; burst++) {
    for (let step = 0; step < 12; step++) {
      someone.act(`${burst} ${step}`)
      if (world.dice.chance(0.3)) await world.scheduler.pass(2_000_000)
    }
    if (burst === 7) someone.finish()
    const batch = await world.reported()
    const tree = treeOf(world.machine, root)
    for (const path of new Set([...model.keys(), ...tree.keys()])) {
      if (!covers(batch, path)) continue
      const inode = tree.get(path)
      if (inode === undefined) model.delete(path)
      else model.set(path, heldBy(inode))
    }
    // What was below a directory that went has gone with it.
    for (const path of [...model.keys()].sort()) if (!hasParent(model, path)) model.delete(path)
  }
  const tree = treeOf(world.machine, root)
  expect([...model].sort()).toEqual([...tree].map(([path, inode]) => [path, heldBy(inode)]).sort())
})

function hasParent(model: ReadonlyMap<RelPath, string>, path: RelPath): boolean {
  const parent = parentOf(path)
  return parent === rootPath || model.get(parent)?.startsWith('directory') === true
}
