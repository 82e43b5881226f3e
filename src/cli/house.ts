import type { Life } from '../agent/agent.js'
import type { Agent } from '../agent/agent-types.js'
import type { Config } from '../config/config.js'
import type { EarlyWorkers } from '../host/node/disk-workers.js'
import type { StartedThread } from '../host/node/started-thread.js'
import type { Emit } from '../status/event.js'
import { threadsOfOnePass, threadsOfResident } from './start-early.js'

/** An agent in this process, on the real world. */
export interface House {
  readonly agent: Agent
  /** Ends the agent and every thread. */
  close(): Promise<void>
}

export type OpenHouse = (config: Config, emit: Emit, life?: Life) => Promise<House>

/** Loads what is heavy (koffi, lmdb, ws) only now: a wrong command line is answered without it. */
export const openHouse: OpenHouse = houseWith(undefined)

/** The first house that is opened takes the threads that have been started early. */
export function houseWith(early: EarlyWorkers | undefined): OpenHouse {
  return (config, emit, life = { resident: false }) => open(config, emit, life, early?.take() ?? [])
}

async function open(config: Config, emit: Emit, life: Life, started: readonly StartedThread[]): Promise<House> {
  const [{ nodeHost, closeHost }, { refuseCoreDumps }, { ReplicaFailure }, { Malformed }] = await Promise.all([
    import('../host/node/host.js'),
    import('../host/node/libc.js'),
    import('../replica/replica.js'),
    import('../wire/bytes.js'),
  ])
  refuseCoreDumps()
  // Then the host: its first thread loads what it needs while we load the rest.
  const atOnce = started.length > 0 ? started : life.resident ? threadsOfResident : threadsOfOnePass
  const host = nodeHost({
    failures: { ReplicaFailure, Malformed },
    atOnce,
    onePass: !life.resident,
    // Those that were started early are the process's own.
    last: started.length > 0 && !life.resident,
  })
  try {
    const { openAgent } = await import('../agent/agent.js')
    const agent = await openAgent(config, host, emit, life)
    return {
      agent,
      close: async () => {
        await agent.close()
        await closeHost(host)
      },
    }
  } catch (error) {
    await closeHost(host)
    throw error
  }
}

/**
 * Ends the process this instant. process.exit would wait for threads that are inside a call of the kernel.
 * Everything is safe on disk or will be finished by the next run.
 */
export async function exitAtOnce(code: number): Promise<never> {
  const { exitNow } = await import('../host/node/libc.js')
  return exitNow(code)
}
