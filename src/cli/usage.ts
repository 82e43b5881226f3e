import { Failure } from '../core/failure.js'

/** What was typed is no command. */
export class UsageFailure extends Failure {
  override readonly name = 'UsageFailure'
  readonly code = 'usage'
}
