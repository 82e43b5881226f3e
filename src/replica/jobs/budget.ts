import { createHash } from 'node:crypto'
import { type Hour, isTooMany, type MaxDelete, noted, removedIn } from '../../core/budget.js'
import { isCreation, type Operation } from '../../core/operation.js'
import { join, nameOf, parentOf, type RelPath, relPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { type Index, openIndex } from '../../index/index.js'
import { countOf } from '../../status/amounts.js'
import { pairPrefixChars } from '../peer-pair.js'
import type { RemovalsHeld, View } from '../replica.js'
import { seenIn } from '../view.js'
import { checkRoot } from './marker.js'
import { dropFile, ensureDirectory, goneCodes, openRoot, privatePath, type RootPlace, readWhole } from './place.js'

/** What a pair may remove from a root, of what it sees there. */
export interface Budget {
  readonly limit: MaxDelete
  readonly view: View
}

/**
 * `.tandem/budget/WHO`: JSON, put in place in one step.
 *
 *     { "version": 1, "hours": [[hour, sum, most], ...], "held": number, "allowed": number }
 *
 * `held`: so many removals wait for somebody's word; `allowed`: so many were let go and have not been made. `WHO.let-go` is one that
 * takes its place. History: 1 the first.
 *
 * WHO is what the ids of all pairs of one peer begin with: a peer names its pairs itself, and with each new one would have a new account.
 * A pair of this machine's own is alone with its beginning. Of a root that is a file its name decides too.
 */
interface Account {
  readonly hours: readonly Hour[]
  readonly held: number
  readonly allowed: number
}

function accountOf({ only }: RootPlace, pair: string): string {
  const who = pair.slice(0, pairPrefixChars)
  return only === undefined ? who : `${who}-${createHash('sha256').update(only).digest('hex').slice(0, 24)}`
}
const accountName = /^[0-9a-f]{8}(?:-[0-9a-f]{24})?$/

/** So many removals, less what is created, are to come from a lead: whether they are held. */
export const removingJob: Job<Removing, RemovalsHeld | undefined> = {
  name: 'removing',
  run(world, { place, pair, budget, count, confirmed }) {
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      const account = new RemovalBudget(world, root, openIndex(world, place.index), place, pair, budget)
      if (!confirmed) return account.askFor(count)
      account.allow(count)
      return undefined
    } finally {
      root.close()
    }
  },
}

export interface Removing {
  readonly place: RootPlace
  readonly pair: string
  readonly budget: Budget
  readonly count: number
  /** Somebody who may has said that they may come. */
  readonly confirmed: boolean
}

/**
 * Somebody who may has said so: what is held in the root, for whichever pair, may be removed. Answers how many paths that are. The
 * accounts belong to jobs that may be at work on them: the word lies beside them until the next one takes it in.
 */
export const letGoJob: Job<{ readonly place: RootPlace }, number> = {
  name: 'let-go',
  run(world, { place }) {
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      const accounts = openAccounts(root)
      try {
        let count = 0
        for (const name of accounts.names()) {
          if (!accountName.test(name)) continue
          const { held } = readAccount(accounts, name)
          if (held === 0) continue
          count += held
          writeAccount(accounts, wordOf(name), { hours: [], held: 0, allowed: held })
        }
        return count
      } finally {
        accounts.close()
      }
    } finally {
      root.close()
    }
  },
}

/** The account of one peer, or of a pair of this machine, on one root, for one question or one batch. Of an account one at a time. */
export class RemovalBudget {
  /** Removals of the batch that are counted already: against the window, or against what was let go. */
  private counted = 0
  private fromAllowed = 0
  private readonly account: string

  constructor(
    private readonly world: World,
    private readonly root: Directory,
    private readonly index: Index,
    place: RootPlace,
    pair: string,
    private readonly budget: Budget,
  ) {
    this.account = accountOf(place, pair)
  }

  /** Whether so many removals may be made now; if not, they wait for somebody's word. */
  askFor(count: number): RemovalsHeld | undefined {
    if (count <= 0) return undefined
    return this.decide(count, () => undefined)
  }

  /** So many may come, whatever was held. */
  allow(count: number): void {
    this.with((accounts) => writeAccount(accounts, this.account, { hours: [], held: 0, allowed: count }))
  }

  /** The same for a batch, which must not leave the root or a `path` without members either. */
  askForBatch(operations: readonly Operation[]): RemovalsHeld | undefined {
    const removed = operations.filter(({ op }) => op === 'remove')
    if (removed.length === 0) return undefined
    const created = operations.length - removed.length === 0 ? 0 : operations.filter(isCreation).length
    return this.decide(removed.length - created, () => this.emptiedBy(operations), removed.length)
  }

  /**
   * So many are about to be made. They are counted before: a disk that fills up meanwhile would let more pass uncounted.
   * @throws FileFailure when they cannot be counted
   */
  count(removals: number): void {
    if (removals === 0) return
    this.with((accounts) => {
      const account = this.read(accounts)
      const { hours, allowed } = account
      // Nothing is counted of what was let go.
      if (allowed > 0) {
        this.fromAllowed = Math.min(allowed, removals)
        writeAccount(accounts, this.account, { ...account, allowed: allowed - this.fromAllowed })
      } else {
        this.counted = removals
        writeAccount(accounts, this.account, { ...account, hours: noted(hours, this.nowMs, removals, 0) })
      }
    })
  }

  /** What the batch did: what was counted and not removed makes up as what was created does. If it cannot be noted, too much is counted. */
  note(removed: number, created: number): void {
    const back = created + Math.max(0, this.counted - removed)
    const allowedBack = Math.max(0, this.fromAllowed - removed)
    if (back === 0 && allowedBack === 0) return
    try {
      this.with((accounts) => {
        const account = this.read(accounts)
        const { hours, allowed } = account
        if (allowedBack > 0) writeAccount(accounts, this.account, { ...account, allowed: allowed + allowedBack })
        else if (allowed === 0 && removedIn(hours, this.nowMs) > 0)
          writeAccount(accounts, this.account, { ...account, hours: noted(hours, this.nowMs, 0, back) })
      })
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
    }
  }

  private decide(
    count: number,
    emptied: () => RemovalsHeld | undefined,
    removals: number = count,
  ): RemovalsHeld | undefined {
    return this.with((accounts) => {
      const account = this.read(accounts)
      if (removals <= account.allowed) return undefined
      const held = emptied() ?? this.tooMany(account, count)
      if (held !== undefined)
        writeAccount(accounts, this.account, { ...account, held: Math.max(account.held, removals), allowed: 0 })
      return held
    })
  }

  /** The account, with what was let go meanwhile. Taken in twice it is the same. */
  private read(accounts: Directory): Account {
    const word = wordOf(this.account)
    const letGo = readAccount(accounts, word)
    if (letGo.allowed === 0) return readAccount(accounts, this.account)
    writeAccount(accounts, this.account, letGo)
    dropFile(accounts, word)
    return letGo
  }

  private tooMany({ hours }: Account, count: number): RemovalsHeld | undefined {
    const removed = removedIn(hours, this.nowMs)
    const { limit } = this.budget
    if (!isTooMany(limit, removed, count, (most) => this.present(most))) return undefined
    const before = removed === 0 ? '' : `, after ${countOf(removed)} in the last 24 hours`
    const left =
      limit.kind === 'count' ? '' : ` and leave ${countOf(Math.max(0, this.present(count + removalsShown) - count))}`
    return { detail: `it would remove ${countOf(count)} paths${before}${left}` }
  }

  /** Paths that the pair sees, up to `most` of them. */
  private present(most: number): number {
    const isSeen = this.seen()
    let count = 0
    const waiting = this.scopes().map((path) => ({ path, id: this.index.directoryId(path) }))
    for (let here = waiting.pop(); here !== undefined && count < most; here = waiting.pop()) {
      if (here.id === undefined) continue
      for (const { name, record } of this.index.members(here.id)) {
        const path = join(here.path, name)
        if (!isSeen(path)) continue
        count++
        if (count >= most) break
        if (record.directoryId !== 0) waiting.push({ path, id: record.directoryId })
      }
    }
    return count
  }

  private emptiedBy(operations: readonly Operation[]): RemovalsHeld | undefined {
    const isSeen = this.seen()
    for (const scope of this.scopes()) {
      const inScope = operations.filter(({ path }) => path === scope || (path !== rootPath && parentOf(path) === scope))
      const gone = new Set<RelPath>()
      for (const { op, path } of inScope) if (op === 'remove') gone.add(path)
      if (gone.size === 0 || inScope.some((operation) => operation.op === 'rename' || isCreation(operation))) continue
      const id = this.index.directoryId(scope)
      if (id === undefined) continue
      let members = 0
      let isEmptied = true
      for (const { name } of this.index.members(id)) {
        const path = join(scope, name)
        if (!isSeen(path)) continue
        members++
        if (gone.has(path)) continue
        isEmptied = false
        break
      }
      if (isEmptied && members > 0)
        return { detail: `it would remove everything in ${scope === rootPath ? 'the root' : scope}` }
    }
    return undefined
  }

  /** The root, or the directories of `path`. */
  private scopes(): RelPath[] {
    const { paths } = this.budget.view
    if (paths.length === 0) return [rootPath]
    return paths.map((text) => relPath(text)).map((path) => (nameOf(path) === '*' ? parentOf(path) : path))
  }

  /** Of what is counted: patterns of a lead that cost too much leave nothing out, which is what a lead without any is held to. */
  private seen(): (path: RelPath) => boolean {
    const { view } = this.budget
    return view.ignore.length === 0 ? () => true : seenIn({ ...view, paths: [] }, this.world.clock)
  }

  private get nowMs(): number {
    return Number(this.world.clock.wallNs() / 1_000_000n)
  }

  private with<T>(body: (accounts: Directory) => T): T {
    const accounts = openAccounts(this.root)
    try {
      return body(accounts)
    } finally {
      accounts.close()
    }
  }
}

/** What stays is told exactly up to here. */
const removalsShown = 10_000

/** What somebody has let go and no job has taken in, as an account of its own. */
const wordOf = (account: string) => `${account}.let-go`

const accountsPath = join(privatePath, 'budget')
const accountVersion = 1
const accountBytesMax = 1 << 16
const nothing: Account = { hours: [], held: 0, allowed: 0 }

function openAccounts(root: Directory): Directory {
  try {
    return root.openDirectory(accountsPath)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
  }
  const folder = root.openDirectory(privatePath)
  try {
    ensureDirectory(folder, nameOf(accountsPath))
  } finally {
    folder.close()
  }
  return root.openDirectory(accountsPath)
}

/** An account that is damaged is none. */
function readAccount(accounts: Directory, name: string): Account {
  try {
    return parseAccount(readWhole(accounts, name, accountBytesMax).toString('utf8'))
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return nothing
  }
}

function writeAccount(accounts: Directory, name: string, { hours, held, allowed }: Account): void {
  const aside = `${name}.new`
  dropFile(accounts, aside)
  const file = accounts.createFile(aside, 0o600)
  try {
    const lines = hours.map(({ hour, sum, most }) => [hour, sum, most])
    const text = JSON.stringify({ version: accountVersion, hours: lines, held, allowed })
    file.write(Buffer.from(`${text}\n`, 'latin1'), 0)
  } finally {
    file.close()
  }
  accounts.replace(aside, name)
}

function parseAccount(text: string): Account {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return nothing
  }
  if (typeof value !== 'object' || value === null) return nothing
  if (!('version' in value) || value.version !== accountVersion) return nothing
  if (!('hours' in value && 'held' in value && 'allowed' in value) || !Array.isArray(value.hours)) return nothing
  const { held, allowed } = value
  if (!isWhole(held) || !isWhole(allowed)) return nothing
  const hours: Hour[] = []
  for (const one of value.hours) {
    const [hour, sum, most]: unknown[] = Array.isArray(one) ? one : []
    if (!isWhole(hour) || !isWhole(sum) || !isWhole(most)) return nothing
    hours.push({ hour, sum, most })
  }
  return { hours, held, allowed }
}

const isWhole = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value)
