import type { Content, Props } from './content.js'
import type { RelPath } from './path.js'
import type { ProblemCode } from './report.js'

/**
 * One change to one root with what it expects to find. `expect` is the content that was reported, all twelve mode bits
 * and the time to the nanosecond; a file in it may lack its fingerprint, then size, mode and time decide.
 * Properties to set that are undefined: a new file takes the process's default, a replacement keeps what was there.
 * 'overruled': a preference or a person decided against what this root held.
 */
export type Operation = Change & {
  /** Why it is done, for the journal; undefined: the other side changed it. */
  readonly why?: 'overruled' | undefined
}

type Change =
  | { readonly op: 'create-directory'; readonly path: RelPath; readonly expect: Content; readonly props: Props }
  | {
      readonly op: 'write-file'
      readonly path: RelPath
      readonly expect: Content
      /** Names the staged bytes within the batch; see Want in replica.ts. */
      readonly want: number
      readonly sizeBytes: number
      readonly props: Props
    }
  | { readonly op: 'write-symlink'; readonly path: RelPath; readonly expect: Content; readonly target: string }
  | { readonly op: 'remove'; readonly path: RelPath; readonly expect: Content }
  | { readonly op: 'set-props'; readonly path: RelPath; readonly expect: Content; readonly props: Props }
  /**
   * What stands at `from` becomes `path`, where nothing is, with all that is in it: what is not synchronized, and edits that
   * nobody has seen yet. `expect` is what was reported at `from`: its kind counts, and that it is still the same object.
   */
  | { readonly op: 'rename'; readonly path: RelPath; readonly from: RelPath; readonly expect: Content }

/** What became of an operation. Every operation of a batch has one, in the order given. */
export type Outcome =
  /**
   * It is visible. `content` is what the path now holds: properties read back, fingerprint known. `from`: it was renamed from
   * there, where nothing is left.
   */
  | { readonly kind: 'done'; readonly path: RelPath; readonly content: Content; readonly from?: RelPath }
  /** Something else than expected was there. It is still there (or beside it, as a conflict copy), and the path is dirty. */
  | { readonly kind: 'superseded'; readonly path: RelPath; readonly detail: string }
  /** Nothing was changed. `transient`: waiting can help. */
  | {
      readonly kind: 'failed'
      readonly path: RelPath
      readonly code: ProblemCode
      readonly detail: string
      readonly transient: boolean
    }

/** A name that comes. */
export function isCreation({ op, expect }: Operation): boolean {
  return op !== 'remove' && op !== 'set-props' && op !== 'rename' && expect.kind === 'absent'
}
