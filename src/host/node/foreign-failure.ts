import { Failure } from '../../core/failure.js'
import { BadPath } from '../../core/path.js'
import { FileFailure } from '../files.js'
import { StoreFailure } from '../store.js'

/**
 * Classes of failures whose facts are plain data, so that a failure can be taken apart and put together again, by the name that
 * each of theirs has: a bundler may give the class itself another.
 */
export type FailureClasses = Readonly<Record<string, { readonly prototype: Failure }>>

/** Failures of the ground; a house with more classes names them to nodeWorkers. */
export const groundFailures: FailureClasses = { FileFailure, StoreFailure, BadPath }

/** A failure of another thread whose class is not known here: its name, code, message and whether waiting can help. */
export class ForeignFailure extends Failure {
  override readonly name: string
  constructor(
    name: string,
    readonly code: string,
    message: string,
    private readonly waitingHelps: boolean,
  ) {
    super(message)
    this.name = name
  }
  override get transient(): boolean {
    return this.waitingHelps
  }
}

/** What was thrown, as it crosses between threads: the error itself is cloned without its class and its own fields. */
export interface Thrown {
  readonly error: unknown
  readonly failure:
    | { readonly name: string; readonly code: string; readonly transient: boolean; readonly fields: object }
    | undefined
}

export function takeApart(error: unknown): Thrown {
  if (!(error instanceof Failure)) return { error, failure: undefined }
  const { name, code, transient } = error
  return { error, failure: { name, code, transient, fields: { ...error } } }
}

/** The error again: a Failure of its class if `classes` has it, else a ForeignFailure; what is no Failure as it came. */
export function putTogether({ error, failure }: Thrown, classes: FailureClasses): unknown {
  if (failure === undefined || !(error instanceof Error)) return error
  const known = classes[failure.name]
  if (known === undefined) {
    const foreign = new ForeignFailure(failure.name, failure.code, error.message, failure.transient)
    foreign.cause = error
    return foreign
  }
  Object.setPrototypeOf(error, known.prototype)
  return Object.assign(error, failure.fields)
}
