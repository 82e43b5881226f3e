import { beforeEach, describe, expect, test } from 'vitest'
import { absPath, relPath } from '../../src/core/path.js'
import type { Job, World } from '../../src/host/workers.js'
import { simHost } from './host.js'
import { Machine } from './machine.js'
import { Network } from './network.js'
import { CrashSignal, type Process } from './process.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import { StoreShelf } from './store.js'
import { UserFiles } from './user-files.js'
import { calm } from './watcher.js'
import type { SimWorkers } from './workers.js'

const home = absPath('/home')

let scheduler: Scheduler
let machine: Machine
let process: Process
let workers: SimWorkers
let user: UserFiles
/** What happened, in order. */
let story: string[]

beforeEach(() => {
  const dice = new Dice(1)
  scheduler = new Scheduler(dice.stream('ties'))
  const network = new Network(scheduler, dice)
  machine = new Machine(scheduler, 'one', dice)
  network.add(machine)
  const place = { machine, shelf: new StoreShelf(machine), network, watching: { ...calm } }
  ;({ process, workers } = simHost(place, 'agent', dice))
  user = new UserFiles(machine, home)
  story = []
})

/** Before the n-th call of any job. */
function beforeCall(n: number, act: () => void): void {
  let left = n
  machine.onCall = ({ process }) => {
    if (process.depth > 0 && --left === 0) act()
    return undefined
  }
}

const names: Job<null, number> = {
  name: 'names',
  run(world) {
    story.push('names begins')
    const count = inHome(world, (directory) => directory.names().length)
    story.push('names ends')
    return count
  },
}

const make: Job<string, null> = {
  name: 'make',
  run(world, name) {
    story.push('make')
    inHome(world, (directory) => directory.makeDirectory(name, 0o755))
    return null
  },
}

function inHome<T>(world: World, body: (directory: ReturnType<World['files']['openDirectory']>) => T): T {
  const directory = world.files.openDirectory(home)
  try {
    return body(directory)
  } finally {
    directory.close()
  }
}

describe('S2-17: between two calls of a job', () => {
  test('a whole other job runs', async () => {
    beforeCall(2, () => expect(workers.runNested()).toBe(true))
    const counted = workers.run(names, null, 'edit')
    void workers.run(make, 'made by the other', 'bulk')
    await scheduler.pass(1e9)
    expect(await counted).toBe(1)
    expect(story).toEqual(['names begins', 'make', 'names ends'])
  })

  test('a user does something', async () => {
    beforeCall(2, () => user.makeDirectory(relPath('made by a user')))
    const counted = workers.run(names, null, 'edit')
    await scheduler.pass(1e9)
    expect(await counted).toBe(1)
  })

  test('a job of the same lane does not: its turn comes', async () => {
    beforeCall(2, () => expect(workers.runNested()).toBe(false))
    const counted = workers.run(names, null, 'edit', 3)
    void workers.run(make, 'later', 'edit', 3)
    await scheduler.pass(1e9)
    expect(await counted).toBe(0)
    expect(story).toEqual(['names begins', 'names ends', 'make'])
  })
})

describe('S2-17: from a crash on every effect is refused, whatever unwinds', () => {
  const tidies: Job<null, null> = {
    name: 'tidies',
    run(world) {
      const directory = world.files.openDirectory(home)
      directory.makeDirectory('staged', 0o700)
      try {
        directory.makeDirectory('next', 0o700)
      } catch (error) {
        // As the house does with what it cannot handle; what a crash throws is no Failure.
        story.push(error instanceof CrashSignal ? 'a crash' : 'a failure')
        try {
          directory.removeDirectory('staged')
          story.push('tidied in catch')
        } catch {}
        throw error
      } finally {
        try {
          directory.removeDirectory('staged')
          story.push('tidied in finally')
        } catch {}
        directory.close()
      }
      return null
    },
  }

  test('what finally and catch would tidy is still there', async () => {
    let answered = false
    beforeCall(3, () => process.crash())
    void workers.run(tidies, null, 'edit').then(
      () => {
        answered = true
      },
      () => {
        answered = true
      },
    )
    await scheduler.pass(1e9)
    expect(story).toEqual(['a crash'])
    expect(user.find(relPath('staged'))?.kind).toBe('directory')
    expect(user.find(relPath('next'))).toBeUndefined()
    // And nobody is told: the process that asked is gone too.
    expect(answered).toBe(false)
  })

  test('without the crash it is tidied', async () => {
    await Promise.all([workers.run(tidies, null, 'edit'), scheduler.pass(1e9)])
    expect(story).toEqual(['tidied in finally'])
    expect(user.find(relPath('staged'))).toBeUndefined()
  })
})
