import type { Configured, Control } from '../agent/control.js'
import { linkName } from '../agent/control-place.js'
import { Failure } from '../core/failure.js'
import { absPath } from '../core/path.js'
import type { House, OpenHouse } from './house.js'

/**
 * Opens houses that answer at the control socket as long as they are open. Where another agent answers already, or the socket cannot be
 * made, `watch` and `serve` do their work without one and say so; `run` is the agent of its state directory, and is refused.
 */
export function controlled(open: OpenHouse, command: 'run' | 'serve' | 'watch', configured?: Configured): OpenHouse {
  return async (config, emit, life) => {
    const { stateDir } = config
    const { openControl, isControlled, ControlBusy } = await import('../agent/control.js')
    // Before anything is opened that the other one may hold.
    if (command === 'run' && (await isControlled(stateDir))) throw new ControlBusy(stateDir)
    const house = await open(config, emit, life)
    let control: Control | undefined
    try {
      control = await openControl({ stateDir, agent: house.agent, command, emit, configured })
      // Whoever comes by ssh as this user joins the agent there.
      await house.agent.offer({ kind: 'socket', path: absPath(`${stateDir}/${linkName}`) })
    } catch (error) {
      if (!(error instanceof Failure) || (command === 'run' && error instanceof ControlBusy)) {
        await house.close()
        await control?.close()
        throw error
      }
      emit({ event: 'control-refused', path: stateDir, code: error.code, detail: error.message })
    }
    return answeringHouse(house, control)
  }
}

/** It answers until everything else has ended: whoever asked it to stop waits for that. */
function answeringHouse(house: House, control: Control | undefined): House {
  return {
    agent: house.agent,
    close: async () => {
      try {
        await house.close()
      } finally {
        await control?.close()
      }
    },
  }
}
