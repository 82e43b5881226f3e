import { parentOf, type RelPath } from '../../core/path.js'
import { type Directory, FileFailure, type Handed } from '../../host/files.js'

/**
 * What the new files and links of a batch take from the directories that they come into: a rename brings them there with what
 * staging handed down. Each directory is looked at once for a batch; what it hands down later is its user's next change.
 */
export class Inheritance {
  private readonly known = new Map<RelPath, Handed | undefined>()
  /** Directories that the batch makes: they take after the one that holds them. */
  private readonly toCome = new Set<RelPath>()
  private handedToStaging: Handed | undefined

  constructor(
    private readonly root: Directory,
    private readonly staging: Directory,
  ) {}

  /** The batch makes this directory: it cannot be looked at yet. */
  expect(path: RelPath): void {
    this.toCome.add(path)
  }

  /** What an object that was made in staging is to take before it comes into the directory; undefined: it has all of it. */
  lackingIn(path: RelPath): Handed | undefined {
    if (this.known.has(path)) return this.known.get(path)
    const lacking = this.toCome.has(path) ? this.lackingIn(parentOf(path)) : this.look(path)
    this.known.set(path, lacking)
    return lacking
  }

  private look(path: RelPath): Handed | undefined {
    let directory: Directory
    try {
      directory = this.root.openDirectory(path)
    } catch (error) {
      // Whether anything can come into it is found out when it does.
      if (!(error instanceof FileFailure)) throw error
      return undefined
    }
    try {
      this.handedToStaging ??= this.staging.handsDown()
      return lacking(this.handedToStaging, directory.handsDown())
    } catch (error) {
      // It comes as it was staged.
      if (!(error instanceof FileFailure)) throw error
      return undefined
    } finally {
      directory.close()
    }
  }
}

/** What an object that was made in `staging` lacks in `directory`; undefined: nothing, or it cannot be said. */
export function lackingBetween(staging: Directory, directory: Directory): Handed | undefined {
  try {
    return lacking(staging.handsDown(), directory.handsDown())
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

/** The group of a link, which has nothing else to take. Answers what could not be taken, in words, or undefined. */
export function inheritGroup(staging: Directory, name: string, handed: Handed): string | undefined {
  try {
    if (staging.statAt(name)?.gid !== handed.gid) staging.setGroup(name, handed.gid)
    return undefined
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return `group ${handed.gid} (${error.errno})`
  }
}

/**
 * The mode that an ACL leaves to what is made with all bits. See acl(5) and linux/posix_acl_xattr.h:
 *
 *     version u32 LE | entries: tag u16 LE, permissions u16 LE, id u32 LE
 */
export function modeOfAcl(acl: Uint8Array): number {
  const view = new DataView(acl.buffer, acl.byteOffset, acl.byteLength)
  const found = new Map<number, number>()
  for (let at = 4; at + 8 <= view.byteLength; at += 8)
    found.set(view.getUint16(at, true), view.getUint16(at + 2, true) & 0o7)
  const of = (tag: number) => found.get(tag) ?? 0
  const group = found.has(maskTag) ? of(maskTag) : of(groupTag)
  return (of(ownerTag) << 6) | (group << 3) | of(othersTag)
}

const ownerTag = 0x01
const groupTag = 0x04
const maskTag = 0x10
const othersTag = 0x20

function lacking(has: Handed, wants: Handed): Handed | undefined {
  return has.gid === wants.gid && sameAcl(has.acl, wants.acl) ? undefined : wants
}

function sameAcl(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return Buffer.compare(one, other) === 0
}
