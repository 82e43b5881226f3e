import { createHash } from 'node:crypto'
import { unreachable } from '../../src/core/assert.js'
import type { Content } from '../../src/core/content.js'
import { folded } from '../../src/core/folding.js'
import { movedPath } from '../../src/core/moves.js'
import { type AbsPath, isWithin, join, nameOf, parentOf, type RelPath, rootPath } from '../../src/core/path.js'
import { Claims } from './claims.js'
import { type Actor, type Disk, type DiskEvent, user } from './disk.js'
import type { Inode } from './inode.js'
import type { Machine } from './machine.js'
import type { Scheduler } from './scheduler.js'
import type { Records } from './store.js'
import { absentHeld, differencesOf, gather, type Held, isPrivate, treeOf } from './tree.js'

export interface OracleSide {
  readonly name: string
  readonly machine: Machine
  readonly root: AbsPath
}

/** A version of a file or symlink: all its bytes, or its target. */
type Version = string

interface Fate {
  /** A user replaced or removed it where it was, or it went down with a machine: it may be gone. */
  over: boolean
  /** Where a user removed it by its name, and did not put it elsewhere. */
  removedAt: { readonly side: OracleSide; readonly path: RelPath } | undefined
  /** It has had more than one place: where it ends is a question of names. */
  moved: boolean
}

/**
 * Watches every disk, knows nothing of the engine, and says what no agent may do: lose a version, show part of one, make
 * one up, bring back what was deleted, claim an agreement that never was.
 */
export class Oracle {
  readonly violations: string[] = []
  /** Visible changes made by agents so far, and by anybody. */
  agentChanges = 0
  changes = 0
  private readonly fates = new Map<Version, Fate>()
  /** Inodes that have a name anywhere, by what they hold. */
  private readonly holders = new Map<Version, Set<Inode>>()
  /** The house keeps versions: what a user wrote is nowhere let go by an agent. */
  keeps = true
  /** Of what is kept no more than this has to stay: what is more may go. */
  keptBytesMax = Number.MAX_SAFE_INTEGER
  private readonly held = new Map<Inode, Version>()
  private readonly writers = new Map<Inode, string>()
  /** What an agent last wrote into a file, and which. */
  private readonly copies = new Map<Inode, { readonly version: Version; readonly agent: string }>()
  /** When an agent gave a file a visible name, in its disk's time. */
  private readonly shownNs = new Map<Inode, bigint>()
  private readonly parters = new Map<Inode, string>()
  /** When users last changed something at a path. */
  private readonly touched = new Map<OracleSide, Map<RelPath, number>>()
  /** What an agent has just taken from a visible place. */
  private readonly leaving = new Map<Inode, Place>()
  /** Directories that users renamed. */
  private readonly overtaking: { readonly from: Place; readonly to: Place; readonly timeNs: number }[] = []
  /** Renames by agents; of these, those that a death has cut off: only the two places tell whether they were done. */
  private readonly renames: { readonly from: Place; readonly to: Place; readonly timeNs: number }[] = []
  private readonly cutOff: { readonly from: Place; readonly to: Place }[] = []
  private readonly current = new Map<OracleSide, Map<RelPath, Held>>()
  /** All that a path ever held. */
  private readonly past = new Map<OracleSide, Map<RelPath, Set<Held>>>()
  private readonly machines = new Set<Machine>()
  private readonly roots = new Map<OracleSide, Inode>()
  private readonly claims = new Claims()
  /** Stored through a mapping without a moved time, and where. While an agent lives it hears of the mapping's end. */
  private readonly unstamped = new Map<Version, Disk>()
  /** Of these, those for which no agent lived all the while. */
  private readonly unheard = new Set<Version>()
  /** Something was rolled back: what users had replaced or deleted may be back, and old agreements may be forgotten. */
  private rolledBack = false
  /** The same by a power loss: what went down with it is known of each version. */
  private poweredDown = false

  constructor(
    private readonly scheduler: Scheduler,
    private readonly sides: readonly [OracleSide, OracleSide],
  ) {
    for (const side of sides) {
      this.touched.set(side, new Map())
      this.current.set(side, new Map())
      this.past.set(side, new Map())
      this.machines.add(side.machine)
    }
    for (const machine of this.machines) {
      for (const disk of machine.disks) disk.listeners.add((event) => this.hear(event, disk))
      machine.onPowerLoss(() => this.lostPower(machine))
    }
    for (const side of sides) this.refresh(side, rootPath)
  }

  /** Of what was stored without a trace before this it hears nothing: it knows the file by its times. */
  noteStart(machine: Machine): void {
    for (const [version, disk] of this.unstamped) if (machine.disks.includes(disk)) this.unheard.add(version)
  }

  /** An agent there died. */
  noteEnd(machine: Machine): void {
    for (const rename of this.renames)
      if (rename.to.side.machine === machine && this.scheduler.timeNs - rename.timeNs < batchNs)
        this.cutOff.push(rename)
  }

  /**
   * Nobody could know of it, and who took its file for what it was before has kept it among the versions: what was stored without
   * a trace; or, after stores went back by less than a generation, what looks like something that was removed once.
   */
  private isUnheardOf(version: Version): boolean {
    if (!this.unheard.has(version) && !this.rolledBack) return false
    return [...(this.holders.get(version) ?? [])].some((inode) => inode.links > 0)
  }

  /** Stores went back to an earlier state. */
  noteRollback(): void {
    this.rolledBack = true
  }

  /** Highest paths at which the two roots differ now. */
  differences(): RelPath[] {
    const [alpha, beta] = this.sides
    const units = this.sides.map(({ machine, root }) => machine.diskAt(root).timeUnitNs)
    const unit = units.reduce((coarse, each) => (each > coarse ? each : coarse))
    return differencesOf(treeOf(alpha.machine, alpha.root), treeOf(beta.machine, beta.root), unit)
  }

  /**
   * What must hold once everything is healed and quiet. `conflicts` are the paths that the agents call conflicts, and
   * `heldApart` those of which they say that another name stands in their way: only there may the roots differ.
   */
  checkEnd(conflicts: readonly RelPath[], heldApart: readonly RelPath[]): void {
    const differences = this.differences()
    const unexplained = this.unexplained(differences, conflicts, heldApart)
    for (const path of differences) {
      if (unexplained.includes(path)) this.violate(`the roots differ at ${path}, which nobody calls a conflict`)
      else if (this.isHeldApart(path, heldApart)) continue
      else if (!this.rolledBack && !this.poweredDown && !this.sides.every((side) => this.wasTouched(side, path)))
        this.violate(`a conflict at ${path}, which only one side has touched`)
    }
    const visible = new Set<Version>()
    for (const side of this.sides)
      for (const inode of treeOf(side.machine, side.root).values()) visible.add(versionOf(inode))
    for (const [version, fate] of this.fates)
      if (!fate.over && !visible.has(version) && !this.isUnheardOf(version))
        this.violate(`lost: ${spoken(version)} is visible nowhere`)
    if (!this.rolledBack && !this.poweredDown) this.checkRemoved()
  }

  /** Differences that no conflict explains, and no name that stands in the way of another. */
  unexplained(
    differences: readonly RelPath[],
    conflicts: readonly RelPath[],
    heldApart: readonly RelPath[],
  ): RelPath[] {
    return differences.filter(
      (path) => !this.isHeldApart(path, heldApart) && !conflicts.some((conflict) => isWithin(path, conflict)),
    )
  }

  private isHeldApart(path: RelPath, heldApart: readonly RelPath[]): boolean {
    return heldApart.includes(path) && this.hasLike(path)
  }

  /** Whether a root that folds names cannot hold the path: another one there, or at the other side, is the same to it. */
  hasLike(path: RelPath): boolean {
    if (!this.sides.some(({ machine, root }) => machine.diskAt(root).folds)) return false
    return this.sides.some(({ machine, root }) =>
      [...treeOf(machine, root).keys()].some((other) => other !== path && folded(other) === folded(path)),
    )
  }

  /** A user has had a version brought back to a path where `was` stood: that he gives up there, and what he removed may be back. */
  noteRestored(sideName: string, path: RelPath, was: Inode | undefined): void {
    const side = this.sides.find(({ name }) => name === sideName)
    if (side === undefined) throw new Error(`no side ${sideName}`)
    this.touch({ side, path })
    if (was !== undefined) this.over(versionOf(was), undefined)
    const root = this.rootOf(side)
    const inode = root === undefined ? undefined : this.below(side.machine, root, path)
    if (inode !== undefined) this.markMoved(inode)
  }

  /** An archive was written: both sides have held each content that it claims now. */
  checkClaims(records: Records): void {
    const { fresh, moved } = this.claims.refresh(records, this.scheduler.timeNs)
    for (const { path, content } of fresh) {
      const never = this.sides.filter((side) => !this.everHeld(side, path).some((held) => isClaimed(content, held)))
      if (path === rootPath || never.length === 0 || moved.takes(content)) continue
      for (const side of never)
        this.violate(`the archive claims a ${content.kind} at ${path} that ${side.name} never held`)
    }
  }

  /**
   * All that a path ever held. Where names fold a directory is the same one while the case of its own name changes, so what is
   * changed in it at that moment is there under both.
   */
  private everHeld(side: OracleSide, path: RelPath): Held[] {
    const past = this.past.get(side)
    const held = [...(past?.get(path) ?? [])]
    if (!side.machine.diskAt(side.root).folds) return held
    const above = folded(parentOf(path))
    for (const [other, there] of past ?? [])
      if (nameOf(other) === nameOf(path) && folded(parentOf(other)) === above) held.push(...there)
    return held
  }

  /** What an archive claims has been on disk on both sides: a power loss takes back only what was done after that. */
  private checkDurable(side: OracleSide, before: ReadonlyMap<RelPath, Held>): void {
    const now = this.current.get(side)
    for (const { path, content, sinceNs } of this.claims.all()) {
      const was = before.get(path)
      if (path === rootPath || was === undefined || !isClaimed(content, was)) continue
      if (isClaimed(content, now?.get(path) ?? absentHeld) || this.touchedSince(side, path, sinceNs)) continue
      // A sync of it failed, and no later one is told of that: Known limits.
      const root = this.rootOf(side)
      if (root !== undefined && this.below(side.machine, root, path)?.stuck === true) continue
      this.violate(`${side.name} lost ${spoken(was)} at ${path} with the power, which the archive had claimed`)
    }
  }

  private touchedSince(side: OracleSide, path: RelPath, timeNs: number): boolean {
    for (const [at, atNs] of this.touched.get(side) ?? []) if (atNs >= timeNs && isWithin(path, at)) return true
    return false
  }

  /** C5: what was deleted, and was neither written again nor moved, is not on both sides. */
  private checkRemoved(): void {
    for (const [version, { removedAt, moved }] of this.fates) {
      if (removedAt === undefined || moved) continue
      const everywhere = this.sides.every((side) => {
        const inode = treeOf(side.machine, side.root).get(removedAt.path)
        return inode !== undefined && versionOf(inode) === version
      })
      if (everywhere)
        this.violate(`came back: ${spoken(version)} at ${removedAt.path}, deleted on ${removedAt.side.name}`)
    }
  }

  // ---- events

  private hear(event: DiskEvent, disk: Disk): void {
    const { inode, what, actor } = event
    if (what === 'freed') {
      this.drop(inode)
      this.held.delete(inode)
      return
    }
    const place = event.directory === undefined ? undefined : this.placeOf(event.directory, event.name)
    if (place !== undefined) {
      this.scheduler.note(`${actor} ${what} ${place.side.name}:${place.path} ${headOf(inode)}`)
      this.changes += 1
      if (actor === user) this.touch(place)
      else if (what !== 'close-write') this.agentChanges += 1
      this.followRename(inode, what, place, actor)
    }
    if (actor === user) this.userDid(event, place)
    else this.agentDid(event, place, disk)
    if (place !== undefined && what !== 'close-write') this.refresh(place.side, place.path)
    if (place !== undefined && actor !== user) this.followOvertaken(inode, place)
  }

  /** What takes away the only trace of a rename that was cut off looks like a change at the old place. */
  private touch({ side, path }: Place): void {
    const touched = this.touched.get(side)
    touched?.set(path, this.scheduler.timeNs)
    for (const { from, to } of this.cutOff)
      if (to.side === side && isWithin(to.path, path)) touched?.set(from.path, this.scheduler.timeNs)
  }

  /** What an agent puts into a directory that its user has just renamed it puts, as far as it knows, to the old place. */
  private followOvertaken(inode: Inode, { side, path }: Place): void {
    for (const { from, to, timeNs } of this.overtaking) {
      if (to.side !== side || !isWithin(path, to.path) || this.scheduler.timeNs - timeNs > overtakenNs) continue
      this.remember(side, movedPath(path, { from: to.path, path: from.path }), [heldIn(inode)])
    }
  }

  /** What something held goes along with it when it is renamed, as its agreement does; so does, by an agent, what a user touched in it. */
  private followRename(inode: Inode, what: DiskEvent['what'], to: Place, actor: Actor): void {
    if (what === 'moved-from') this.leaving.set(inode, to)
    if (what !== 'moved-to') return
    const from = this.leaving.get(inode)
    this.leaving.delete(inode)
    if (from?.side !== to.side) return
    // A lead that has not heard yet of what is gone or was written there looks for it at the new place.
    for (const [path, held] of [...(this.past.get(to.side) ?? [])])
      if (isWithin(path, from.path)) this.remember(to.side, movedPath(path, { from: from.path, path: to.path }), held)
    if (actor === user) {
      if (inode.kind === 'directory') this.overtaking.push({ from, to, timeNs: this.scheduler.timeNs })
      return
    }
    this.renames.push({ from, to, timeNs: this.scheduler.timeNs })
    const touched = this.touched.get(to.side)
    for (const [path, at] of [...(touched ?? [])]) {
      if (isWithin(path, from.path)) touched?.set(movedPath(path, { from: from.path, path: to.path }), at)
      else if (isWithin(from.path, path)) touched?.set(to.path, at)
    }
  }

  private userDid(event: DiskEvent, place: Place | undefined): void {
    const { inode, what } = event
    if (what === 'modified' || what === 'stored' || what === 'stored-unstamped') {
      this.writers.set(inode, user)
      this.userWrote(inode)
      if (what === 'stored-unstamped') this.unstamped.set(versionOf(inode), inode.disk)
    } else if (what === 'created' && inode.kind !== 'directory') {
      this.writers.set(inode, user)
      this.born(inode)
    } else if (what === 'removed' || what === 'replaced') {
      if (inode.kind === 'directory' || inode.links > 0) return
      this.parters.set(inode, user)
      this.drop(inode)
      this.over(this.held.get(inode), what === 'removed' ? place : undefined)
    } else if (what === 'moved-to') this.markMoved(inode)
  }

  private userWrote(inode: Inode): void {
    this.over(this.held.get(inode), undefined)
    this.drop(inode)
    this.born(inode)
    if (inode.links > 0) return
    const version = this.held.get(inode) ?? ''
    if (this.parters.get(inode) === user) this.over(version, undefined)
    else this.violate(`lost: ${spoken(version)} was written into a file that an agent had removed`)
  }

  private agentDid(event: DiskEvent, place: Place | undefined, disk: Disk): void {
    const { inode, what, actor } = event
    if (what === 'moved-to' && place !== undefined) this.shownNs.set(inode, inode.ctimeNs)
    if (what === 'modified') {
      this.writers.set(inode, actor)
      this.lastCopy(inode, `${actor} wrote over`)
      this.drop(inode)
      this.hold(inode)
      this.copies.set(inode, { version: versionOf(inode), agent: actor })
    } else if (what === 'created' && inode.kind !== 'directory') this.hold(inode)
    else if ((what === 'removed' || what === 'replaced') && inode.kind !== 'directory' && inode.links === 0) {
      this.parters.set(inode, actor)
      this.drop(inode)
      this.lastCopy(inode, `${actor} removed`)
      // What a user wrote is kept when another user's change takes its place.
      if (
        this.keeps &&
        !this.mayGo(event, disk) &&
        this.writers.get(inode) === user &&
        !isHeldElsewhere(this.holders.get(this.held.get(inode) ?? ''), inode)
      )
        this.violate(`not kept: ${actor} removed ${spoken(versionOf(inode))}, of which there is no other copy`)
    }
    if (place !== undefined && (what === 'modified' || what === 'created' || what === 'moved-to'))
      this.checkWhole(inode, place, actor)
  }

  /**
   * Of what is kept nothing goes but for want of room: it lies among the versions, and its disk had too little a moment ago; or
   * these were more than may be.
   */
  private mayGo({ directory, inode }: DiskEvent, disk: Disk): boolean {
    for (let at = directory; at?.home !== undefined; at = at.home.directory) {
      if (at.home.name !== 'versions' || !isPrivate(at.home.directory.home?.name ?? '')) continue
      if (this.scheduler.timeNs - disk.shortAtNs <= shortAgoNs) return true
      return inode.data.length + keptBytesIn(at) > this.keptBytesMax
    }
    return false
  }

  /** Every file that an agent makes visible is a version that somebody wrote, whole. */
  private checkWhole(inode: Inode, place: Place, actor: string): void {
    if (inode.kind === 'directory') {
      for (const { name, inode: member } of inode.entries.values())
        if (!isPrivate(name)) this.checkWhole(member, { side: place.side, path: join(place.path, name) }, actor)
    } else if (!this.fates.has(versionOf(inode)))
      this.violate(`${actor} shows at ${place.side.name}:${place.path} what nobody wrote: ${spoken(versionOf(inode))}`)
  }

  /** The last place of a version that nobody gave up must not go. */
  private lastCopy(inode: Inode, what: string): void {
    const version = this.held.get(inode)
    if (version === undefined || this.fates.get(version)?.over !== false) return
    if (!isHeldElsewhere(this.holders.get(version), inode))
      this.violate(`lost: ${what} the last copy of ${spoken(version)}`)
  }

  private born(inode: Inode): void {
    const version = versionOf(inode)
    // An empty file carries no token: nobody can tell it from another, so it is never missed.
    if (!this.fates.has(version)) this.fates.set(version, { over: version === '', removedAt: undefined, moved: false })
    this.hold(inode)
  }

  private over(version: Version | undefined, removed: Place | undefined): void {
    const fate = version === undefined ? undefined : this.fates.get(version)
    if (fate === undefined) return
    fate.over = true
    if (version !== '') fate.removedAt ??= removed
  }

  private markMoved(inode: Inode): void {
    for (const { inode: member } of inode.entries.values()) this.markMoved(member)
    const fate = this.fates.get(versionOf(inode))
    if (fate !== undefined) fate.moved = true
  }

  // ---- who holds what

  private hold(inode: Inode): void {
    const version = versionOf(inode)
    this.held.set(inode, version)
    if (inode.links === 0) return
    const holders = this.holders.get(version)
    if (holders === undefined) this.holders.set(version, new Set([inode]))
    else holders.add(inode)
  }

  private drop(inode: Inode): void {
    const version = this.held.get(inode)
    if (version !== undefined) this.holders.get(version)?.delete(inode)
  }

  /** After a power loss: what the machine holds is read afresh. What is held nowhere went down with it. */
  private lostPower(machine: Machine): void {
    this.poweredDown = true
    for (const inode of [...this.held.keys()]) {
      if (!machine.disks.includes(inode.disk)) continue
      this.drop(inode)
      this.held.delete(inode)
    }
    for (const disk of machine.disks)
      for (const inode of disk.reachable()) this.foundAfterPowerLoss(inode, machine.setBackMs > 0)
    // What its user had put where it is now may have gone from both places: whoever held it too is told that it is gone.
    const putOn = new Map<Version, Set<OracleSide>>()
    for (const side of this.sides) {
      if (side.machine !== machine) continue
      for (const [path, held] of this.current.get(side) ?? []) {
        if (!this.touchedSince(side, path, 0)) continue
        const version = versionHeld(held)
        putOn.set(version, (putOn.get(version) ?? new Set()).add(side))
      }
    }
    for (const [version, fate] of this.fates) {
      const holders = [...(this.holders.get(version) ?? [])]
      const lacks = (side: OracleSide) => !holders.some((inode) => this.visibleAt(inode)?.side === side)
      if (!holders.some((inode) => this.counts(inode)) || [...(putOn.get(version) ?? [])].some(lacks)) fate.over = true
    }
    this.changes += 1
    for (const side of this.sides) {
      if (side.machine !== machine) continue
      const before = new Map(this.current.get(side))
      this.refresh(side, rootPath)
      this.checkDurable(side, before)
    }
  }

  /** Whether a version lives on in this file: not if it is a copy that an agent had made and never shown. */
  private counts(inode: Inode): boolean {
    return this.writers.get(inode) === user || this.visibleAt(inode) !== undefined
  }

  private visibleAt(inode: Inode): Place | undefined {
    return inode.home === undefined ? undefined : this.placeOf(inode.home.directory, inode.home.name)
  }

  private foundAfterPowerLoss(inode: Inode, isSetBack: boolean): void {
    if (inode.kind === 'directory') return
    const place = this.visibleAt(inode)
    const copy = this.copies.get(inode)
    if (copy !== undefined) {
      // What a user wrote over it has gone down; or its name has, and its time does not tell it from what was staged.
      const isTold = place !== undefined || (!isSetBack && inode.mtimeNs > (this.shownNs.get(inode) ?? 0n))
      if (copy.version === versionOf(inode) || !isTold) this.writers.set(inode, copy.agent)
    }
    const writer = this.writers.get(inode)
    if (!this.fates.has(versionOf(inode))) {
      // What the power loss made of a user's unsaved bytes is what the disk now says; of an agent's it may not be seen.
      if (writer === undefined || writer === user)
        this.fates.set(versionOf(inode), { over: true, removedAt: undefined, moved: true })
      else if (place !== undefined)
        this.violate(`a power loss tore what ${writer} had published at ${place.side.name}:${place.path}`)
    }
    this.hold(inode)
  }

  // ---- what each side holds

  /** Notes what a side holds at and below a path now. */
  private refresh(side: OracleSide, path: RelPath): void {
    const current = this.current.get(side)
    const root = this.rootOf(side)
    if (current === undefined) return
    const tree = new Map<RelPath, Inode>()
    const top = root === undefined || path === rootPath ? root : this.below(side.machine, root, path)
    if (top !== undefined && path !== rootPath) tree.set(path, top)
    if (top?.kind === 'directory') gather(side.machine, top, path, tree)
    if (path === rootPath || current.get(path) === directoryHeld) {
      for (const known of [...current.keys()]) if (isWithin(known, path) && !tree.has(known)) current.delete(known)
    } else if (!tree.has(path)) current.delete(path)
    for (const [at, inode] of tree) {
      const held = heldIn(inode)
      current.set(at, held)
      this.remember(side, at, [held])
    }
  }

  private remember(side: OracleSide, path: RelPath, held: Iterable<Held>): void {
    const past = this.past.get(side)
    const before = past?.get(path)
    if (before === undefined) past?.set(path, new Set(held))
    else for (const one of held) before.add(one)
  }

  /** By the names as they stand in their directories: a disk that folds case would find others under them. */
  private below(machine: Machine, root: Inode, path: RelPath): Inode | undefined {
    let at: Inode | undefined = root
    for (const name of path.split('/')) {
      if (at?.kind !== 'directory' || at.disk.entry(at, name)?.name !== name) return undefined
      at = machine.member(at, name)
    }
    return at
  }

  // ---- places

  /** Where a name lies that a user can see. */
  private placeOf(directory: Inode, name: string): Place | undefined {
    const names: string[] = []
    let last = name
    let at = directory
    for (;;) {
      if (isPrivate(last)) return undefined
      names.push(last)
      const side = this.sides.find((each) => this.rootOf(each) === at)
      if (side !== undefined) return { side, path: names.reverse().join('/') as RelPath }
      if (at.home === undefined) return undefined
      last = at.home.name
      at = at.home.directory
    }
  }

  private rootOf(side: OracleSide): Inode | undefined {
    const known = this.roots.get(side)
    if (known?.home !== undefined) return known
    const root = side.machine.find(side.root)
    if (root !== undefined) this.roots.set(side, root)
    return root
  }

  private wasTouched(side: OracleSide, path: RelPath): boolean {
    for (const touched of this.touched.get(side)?.keys() ?? [])
      if (isWithin(touched, path) || isWithin(path, touched)) return true
    return false
  }

  private violate(what: string): void {
    this.violations.push(`${(this.scheduler.timeNs / 1e6).toFixed(3)} ms: ${what}`)
    this.scheduler.note(`VIOLATION ${what}`)
  }
}

/** Of the versions, which lie in directories of days: what lies beside these is none. */
function keptBytesIn(versions: Inode): number {
  let bytes = 0
  for (const { inode: day } of versions.entries.values()) {
    if (day.kind !== 'directory') continue
    for (const inode of versions.disk.reachable(day)) bytes += inode.data.length
  }
  return bytes
}

function isHeldElsewhere(holders: ReadonlySet<Inode> | undefined, inode: Inode): boolean {
  return holders !== undefined && (holders.size > 1 || (holders.size === 1 && !holders.has(inode)))
}

interface Place {
  readonly side: OracleSide
  readonly path: RelPath
}

/** From a call that found no room to the end of what is done about it, over a slow link. */
const shortAgoNs = 10e9
const directoryHeld: Held = 'directory'

/** For so long the outcome of a rename may not be written down. */
const batchNs = 10e6

/** For so long an agent may hold a directory open that was renamed. */
const overtakenNs = 1e9

/** What an archive may claim of a path: kind and content, no properties. */
function heldIn(inode: Inode): Held {
  if (inode.kind === 'directory') return directoryHeld
  if (inode.kind === 'special') return 'special'
  return inode.kind === 'symlink' ? `symlink ${inode.target}` : `file ${inode.text}`
}

function isClaimed(content: Content, held: Held): boolean {
  switch (content.kind) {
    case 'absent':
      return held === absentHeld
    case 'directory':
      return held === directoryHeld
    case 'symlink':
      return held === `symlink ${content.target}`
    case 'file':
      return held.startsWith('file ') && content.fingerprint === fingerprintOf(held)
    default:
      return unreachable(content)
  }
}

function fingerprintOf(held: Held): string {
  let known = fingerprints.get(held)
  if (known === undefined) {
    const digest = createHash('sha256').update(Buffer.from(held.slice('file '.length), 'latin1'))
    known = `sha256:${digest.digest('hex')}`
    if (fingerprints.size > fingerprintsMax) fingerprints.clear()
    fingerprints.set(held, known)
  }
  return known
}

const fingerprints = new Map<Held, string>()
const fingerprintsMax = 1_000

function versionOf(inode: Inode): Version {
  return inode.kind === 'symlink' ? `symlink ${inode.target}` : inode.text
}

function versionHeld(held: Held): Version {
  return held.startsWith('file ') ? held.slice('file '.length) : held
}

/** As much of a version as tells it from others. */
function headOf(inode: Inode): string {
  if (inode.kind === 'symlink') return inode.target
  return Buffer.from(inode.data.buffer, inode.data.byteOffset, Math.min(inode.data.length, 12)).toString('latin1')
}

function spoken(version: Version): string {
  const text = version.length > 48 ? `${version.slice(0, 40)}... (${version.length})` : version
  return JSON.stringify(text)
}
