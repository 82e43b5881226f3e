import type { Life } from '../agent/agent.js'
import type { Agent } from '../agent/agent-types.js'
import type { Config } from '../config/config.js'
import type { Emit } from '../status/event.js'

/** An agent in this process, on the real world. */
export interface House {
  readonly agent: Agent
  /** Ends the agent and every thread. */
  close(): Promise<void>
}

export type OpenHouse = (config: Config, emit: Emit, life?: Life) => Promise<House>

/** Loads what is heavy (koffi, lmdb, ws) only now: a wrong command line is answered without it. */
export const openHouse: OpenHouse = async (config, emit, life = { resident: false }) => {
  const [{ nodeHost, closeHost }, { refuseCoreDumps }, { ReplicaFailure }, { Malformed }] = await Promise.all([
    import('../host/node/host.js'),
    import('../host/node/libc.js'),
    import('../replica/replica.js'),
    import('../wire/bytes.js'),
  ])
  refuseCoreDumps()
  // Then the host: its first thread loads what it needs while we load the rest.
  // One pass has somebody who waits for it: a second thread makes both roots ready at once, and is there when a scan begins. An agent that
  // stays has it when there is work for it, and no memory for it before.
  const atOnce = life.resident ? 1 : 2
  const host = nodeHost({ failures: { ReplicaFailure, Malformed }, atOnce })
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
