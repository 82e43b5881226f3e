import type { RelPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import { LinkFailure } from '../host/sockets.js'

/** What came of one answer of which nobody knows before how long it is: so much at most, and nothing twice. */
export class Answered {
  private items = 0
  private bytes = 0
  private readonly known = new Set<string>()

  /** Counts a part. @throws LinkFailure 'protocol' */
  add(items: number, sizeBytes: number): void {
    this.items += items
    this.bytes += sizeBytes
    if (this.items > answerItemsMax) throw new LinkFailure('protocol', `more than ${answerItemsMax} items in an answer`)
    if (this.bytes > answerBytesMax) throw new LinkFailure('protocol', `an answer of more than ${answerBytesMax} bytes`)
  }

  /** @throws LinkFailure 'protocol' when it was told before */
  once(key: string): void {
    if (this.known.has(key)) throw new LinkFailure('protocol', 'an answer that tells the same twice')
    this.known.add(key)
  }
}

/** Listings that come in parts: one part right after the other, and no name twice. */
export class ListingParts {
  private path: RelPath | undefined
  private names = new Set<string>()

  /** A listing has begun and not ended. */
  get isOpen(): boolean {
    return this.path !== undefined
  }

  /** Whether the report is no part of the listing before it. @throws LinkFailure 'protocol' */
  begins(report: Report): boolean {
    const goesOn = this.path !== undefined
    if (goesOn && (report.kind !== 'listing' || report.path !== this.path))
      throw new LinkFailure('protocol', 'a listing that is not finished')
    if (report.kind !== 'listing') return true
    if (goesOn || report.more) this.takeNames(report)
    if (report.more) this.path = report.path
    else if (goesOn) {
      this.path = undefined
      this.names = new Set()
    }
    return !goesOn
  }

  private takeNames({ members }: Report & { readonly kind: 'listing' }): void {
    for (const { name } of members) {
      if (this.names.has(name)) throw new LinkFailure('protocol', 'a listing that names a member twice')
      this.names.add(name)
    }
  }
}

/** Reports, and the members of those that are listings. */
export function itemsOf(reports: readonly Report[]): number {
  return reports.reduce((sum, report) => sum + 1 + (report.kind === 'listing' ? report.members.length : 0), 0)
}

/** More than a root has whose lead can keep it equal: all that is below a path, or in one directory, may be one answer. */
const answerItemsMax = 4_000_000
const answerBytesMax = 512 << 20
