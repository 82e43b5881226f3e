import type { Agreement } from './agreement.js'
import { absent, type Content } from './content.js'
import type { Found } from './report.js'

/** What one root holds at a path and below. */
export interface Tree {
  readonly found: Found
  /** Empty unless `found` is a directory. In any order, each name once. */
  names(): Iterable<string>
  /** A missing name is an absent tree. */
  member(name: string): Tree
}

/** What both roots last agreed on at a path and below. */
export interface AgreementTree {
  readonly agreement: Agreement | undefined
  names(): Iterable<string>
  member(name: string): AgreementTree
}

/**
 * Which paths may differ from the agreement: the path itself, and below it everything if `whole`, else only the members
 * named. Paths that are not touched are taken as unchanged on both sides without a look.
 */
export interface Touched {
  readonly whole: boolean
  names(): Iterable<string>
  member(name: string): Touched | undefined
}

export const absentTree: Tree = { found: absent, names: () => [], member: () => absentTree }

export const noAgreement: AgreementTree = { agreement: undefined, names: () => [], member: () => noAgreement }

/** Everything may differ. */
export const wholeTouched: Touched = { whole: true, names: () => [], member: () => wholeTouched }

/** The content last agreed on; without an agreement that is absence. */
export function agreedContent(tree: AgreementTree): Content {
  return tree.agreement?.content ?? absent
}
