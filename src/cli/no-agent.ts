import { Failure } from '../core/failure.js'

/** Nobody answers at the control socket. */
export class NoAgent extends Failure {
  override readonly name = 'NoAgent'
  readonly code = 'no-agent'
  constructor(stateDir: string) {
    super(`no agent is at work with the state directory ${stateDir}`)
  }
}
