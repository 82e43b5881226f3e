import { type AbsPath, absPath, privateName, type RelPath } from '../../src/core/path.js'
import { partName } from '../../src/replica/jobs/part.js'
import { settleNs } from '../../src/replica/jobs/settle-slot.js'
import { largeBytesMin } from '../../src/replica/replica.js'
import { user } from './disk.js'
import type { Inode } from './inode.js'
import type { Machine } from './machine.js'
import type { OracleSide } from './oracle.js'
import { treeOf } from './tree.js'

/**
 * Looks into the private folder of each root when all is quiet: staging must not pile up. A living agent has one folder of
 * staging in a root, with nothing in it but who owns it. What may stay, and why:
 *
 * - slots in `out` of which a clock that was set back says that they were displaced less than a second ago, or will be, and the
 *   acknowledged intents that tell of them: nothing is let go before its second look;
 * - where calls fail at random, a folder with nothing in it but owner and lock: it could not be looked at or removed, and the next
 *   opening of the root tries again;
 * - a part of what has not come whole since, for a week: it was renamed, replaced or removed at its source before it could be
 *   taken up. See "Known limits" in ARCHITECTURE.md.
 */
export class StagingWatch {
  private readonly received = new WeakSet<Inode>()

  constructor(private readonly sides: readonly OracleSide[]) {
    for (const { machine, root } of sides)
      machine.diskAt(root).listeners.add(({ what, inode, actor }) => {
        if (what === 'created' && actor !== user) this.received.add(inode)
      })
  }

  /** What has piled up, in words. */
  piledUp(callsFail = false): string[] {
    return this.sides.flatMap((side) => [...foldersLeft(side, callsFail), ...this.partsLeft(side)])
  }

  private partsLeft({ name, machine, root }: OracleSide): string[] {
    const found: string[] = []
    for (const [part, inode] of membersOf(machine, `${privateOf(root)}/parts`)) {
      const path = this.cameWhole(machine, root, part, inode)
      if (path !== undefined) found.push(`${name} keeps ${part}, a part of ${path}, which has come whole since`)
    }
    return found
  }

  /** The path of the part, if a file came there whole that could have begun with it. */
  private cameWhole(machine: Machine, root: AbsPath, part: string, { ctimeNs }: Inode): RelPath | undefined {
    // A power loss may have put it back among the parts; by a clock that was set back nobody can tell what came first.
    if (machine.setBackMs > 0 || ctimeNs < machine.wallNs() - BigInt(Math.ceil(machine.nowMs() * 1e6))) return undefined
    for (const [path, file] of treeOf(machine, root)) {
      if (file.data.length < largeBytesMin || file.birthNs <= ctimeNs || !this.received.has(file)) continue
      if (partName('', path).slice(pairDigits) === part.slice(pairDigits)) return path
    }
    return undefined
  }
}

function foldersLeft({ name, machine, root }: OracleSide, callsFail: boolean): string[] {
  const staging = `${privateOf(root)}/stage`
  const isLeft = ([folder]: Member) => callsFail && isEmptied(machine, `${staging}/${folder}`)
  const all = membersOf(machine, staging)
  const folders = all.length > 1 ? all.filter((folder) => !isLeft(folder)) : all
  const found = folders.flatMap(([folder]) =>
    slotsLeft(machine, `${staging}/${folder}`).map((left) => `${name} keeps ${folder}/${left} in staging`),
  )
  // The house that is tried for the simulation's own sake has no staging.
  if (folders.length === 1 || machine.find(absPath(staging)) === undefined) return found
  return [`${name} has ${folders.length} folders of staging: ${folders.map(([folder]) => folder).join(', ')}`, ...found]
}

function isEmptied(machine: Machine, folder: string): boolean {
  if (!namesOf(membersOf(machine, folder)).includes('lock')) return false
  return ['in', 'out', 'intents'].every((name) => membersOf(machine, `${folder}/${name}`).length === 0)
}

function slotsLeft(machine: Machine, folder: string): string[] {
  const out = membersOf(machine, `${folder}/out`)
  const young = out.filter(([, { ctimeNs }]) => machine.setBackMs > 0 && machine.wallNs() - ctimeNs < settleNs)
  const toldOf = new Set(young.map(([slot]) => `${slot.slice(0, slot.indexOf('.'))}.acknowledged`))
  return [
    ...namesOf(membersOf(machine, folder)).filter((inner) => !['owner', 'in', 'out', 'intents'].includes(inner)),
    ...namesOf(membersOf(machine, `${folder}/in`)).map((slot) => `in/${slot}`),
    ...namesOf(out.filter((slot) => !young.includes(slot))).map((slot) => `out/${slot}`),
    ...namesOf(membersOf(machine, `${folder}/intents`))
      .filter((intent) => !toldOf.has(intent))
      .map((intent) => `intents/${intent}`),
  ]
}

/** In the name of a part the pair comes first. */
const pairDigits = 16

type Member = readonly [name: string, inode: Inode]

const namesOf = (members: readonly Member[]): string[] => members.map(([name]) => name)

const privateOf = (root: AbsPath): string => `${root}/${privateName}`

/** None where there is no such directory. */
function membersOf(machine: Machine, path: string): Member[] {
  return [...(machine.find(absPath(path))?.entries.values() ?? [])].map(({ name, inode }) => [name, inode])
}
