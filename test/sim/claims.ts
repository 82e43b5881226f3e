import { decodeRecord } from '../../src/archive/archive.js'
import type { Content } from '../../src/core/content.js'
import { decodeName, join, type RelPath, rootPath } from '../../src/core/path.js'
import type { Records } from './store.js'

/** What one archive says of one path, and when it said so first. */
export interface Claim {
  readonly path: RelPath
  readonly content: Content
  readonly sinceNs: number
}

/** What an archive claims, read from its records as they lie in the store. It knows the format of keys, and no engine. */
export class Claims {
  private known = new Map<RelPath, Read>()

  /**
   * Reads the archive again; answers the claims that were not there before, and what may have been rewritten as if moved: that was
   * checked where it was claimed first.
   */
  refresh(records: Records, timeNs: number): { readonly fresh: readonly Claim[]; readonly moved: Moved } {
    const fresh: Claim[] = []
    const now: typeof this.known = new Map()
    const visit = (directoryId: number, above: RelPath): void => {
      const prefix = prefixOf(directoryId)
      for (let at = records.placeOf(prefix); records.keys[at]?.startsWith(prefix) === true; at++) {
        const key = records.keys[at] ?? ''
        const value = records.values.get(key)
        if (value === undefined) continue
        const path = directoryId === 0 ? rootPath : join(above, nameIn(key))
        const before = this.known.get(path)
        // Values are never changed in place: what has been read of one stays right.
        const read = before?.value === value ? before : readAt(path, value, timeNs)
        if (read !== before) fresh.push(read.claim)
        now.set(path, read)
        if (read.directoryId !== 0) visit(read.directoryId, path)
      }
    }
    visit(0, rootPath)
    const moved = new Moved(this.known, now)
    this.known = now
    return { fresh, moved }
  }

  *all(): Iterable<Claim> {
    for (const { claim } of this.known.values()) yield claim
  }
}

/** A record of the archive. */
interface Read {
  readonly value: Uint8Array
  /** Of the directory that it is of, or 0. */
  readonly directoryId: number
  readonly claim: Claim
}

function readAt(path: RelPath, value: Uint8Array, sinceNs: number): Read {
  const { agreement, directoryId } = decodeRecord(value)
  return { value, directoryId, claim: { path, content: agreement.content, sinceNs } }
}

/** Contents of claims that are gone from their paths: each may have come up at another. */
export class Moved {
  private readonly left = new Map<string, number>()

  constructor(
    before: ReadonlyMap<RelPath, { readonly claim: Claim }>,
    now: ReadonlyMap<RelPath, { readonly claim: Claim }>,
  ) {
    for (const [path, { claim }] of before)
      if (now.get(path)?.claim !== claim) this.left.set(keyOf(claim.content), this.countOf(claim.content) + 1)
  }

  /** Whether such a content has left its path; each counts once. */
  takes(content: Content): boolean {
    const count = this.countOf(content)
    if (count > 0) this.left.set(keyOf(content), count - 1)
    return count > 0
  }

  private countOf(content: Content): number {
    return this.left.get(keyOf(content)) ?? 0
  }
}

/** What makes a content the same thing in another place. */
function keyOf(content: Content): string {
  if (content.kind === 'file') return `file ${content.fingerprint}`
  return content.kind === 'symlink' ? `symlink ${content.target}` : content.kind
}

/** The name in a key; few of them are ever used, and each again and again. */
function nameIn(key: string): string {
  const coded = key.slice(7)
  let name = names.get(coded)
  if (name === undefined) {
    name = decodeName(Buffer.from(coded, 'latin1'))
    if (names.size > namesMax) names.clear()
    names.set(coded, name)
  }
  return name
}

const names = new Map<string, string>()
const namesMax = 10_000

/** Of the keys of a directory's members, as text. */
function prefixOf(directoryId: number): string {
  const key = Buffer.alloc(7)
  key[0] = 0x65
  key.writeUIntBE(directoryId, 1, 6)
  return key.toString('latin1')
}
