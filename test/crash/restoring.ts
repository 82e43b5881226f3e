import { inRoot } from '../../src/agent/past.js'
import { Failure } from '../../src/core/failure.js'
import { relPath } from '../../src/core/path.js'
import { listVersionsJob } from '../../src/replica/jobs/list-versions.js'
import { restoreJob } from '../../src/replica/jobs/restore.js'
import { SimFiles } from '../sim/files.js'
import { simHost } from '../sim/host.js'
import { CrashSignal } from '../sim/process.js'
import { Dice } from '../sim/random.js'
import type { SimWorld } from '../sim/world.js'

/** As `tandem restore` beside the agents at work: the newest version of a path comes back to a user's root, if one is kept. */
export function restoreNewest(world: SimWorld, userIndex: 0 | 1, text: string): void {
  const { name: side, files } = world.users[userIndex]
  const { machine, root } = files
  const path = relPath(text)
  const agent = world.agents.find((each) => each.machine === machine)
  if (agent === undefined) throw new Error(`no agent on ${machine.name}`)
  const { process, host } = simHost(agent.place, 'restore', new Dice(machine.processes.size))
  const { stores, clock, random, machine: facts } = host
  const own = { files: new SimFiles(process), stores, clock, random, machine: facts }
  inRoot(own, root, (place) => {
    const [newest] = listVersionsJob.run(own, { root, path }).own
    if (newest === undefined) return
    const was = files.paths().get(path)
    if (restoreJob.run(own, { place, kept: newest.kept, path }) === 'restored')
      world.oracle.noteRestored(side, path, was)
  })
    // A command that failed, or went down with its machine.
    .catch((error: unknown) => {
      if (!(error instanceof Failure || error instanceof CrashSignal)) throw error
    })
    .finally(() => process.crash())
}
