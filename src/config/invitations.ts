import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../host/clock.js'
import type { Secret } from '../host/sockets.js'
import { ConfigFailure } from './config.js'
import { invitationPattern } from './invitation.js'
import { makePrivateDirectory, readPrivateFile, writePrivateFile } from './private-file.js'
import { keyBytes } from './secret.js'

/** What an invitation lets its user become. */
export interface Invited {
  readonly peer: string
  readonly root: string
  readonly readOnly: boolean
  /** Milliseconds since 1970. */
  readonly expires: number
}

interface Stored extends Invited {
  readonly version: 1
  /** 64 hex digits. */
  readonly key: string
}

/** Those that are over are told so for this long, and then forgotten. */
const rememberedMs = 7 * 86_400_000

type State = 'open' | 'used' | 'withdrawn'

/**
 * The invitations of a state directory: a private file each, `invitations/ID.open`, which becomes `ID.used` in one step, so that it
 * admits exactly one; `ID.withdrawn` admits none, and nothing makes it good again. They outlive the agent.
 */
export class Invitations {
  private readonly directory: string

  constructor(stateDir: string) {
    this.directory = join(stateDir, 'invitations')
  }

  /** @throws ConfigFailure */
  make(invited: Invited, random: Pick<Random, 'bytes'>, nowMs: number): Secret {
    makePrivateDirectory(this.directory)
    this.forget(nowMs)
    const identity = `invite-${Buffer.from(random.bytes(8)).toString('hex')}`
    const key = random.bytes(keyBytes)
    const stored: Stored = { version: 1, ...invited, key: Buffer.from(key).toString('hex') }
    writePrivateFile(join(this.directory, `${identity}.open`), `${JSON.stringify(stored)}\n`)
    return { identity, key }
  }

  /** The key of one that is open or was; a small file is read, for nobody comes with such a name who was not given it. */
  keyOf(identity: string): Uint8Array | undefined {
    const stored = this.read(identity, 'open') ?? this.read(identity, 'used') ?? this.read(identity, 'withdrawn')
    return stored === undefined ? undefined : Uint8Array.from(Buffer.from(stored.key, 'hex'))
  }

  /** What it is good for; or why it is good for nothing. */
  look(identity: string, nowMs: number): Invited | string {
    const stored = this.read(identity, 'open')
    if (stored === undefined) return overText
    return stored.expires < nowMs ? 'this invitation has expired: ask for another one' : stored
  }

  /** The same, and it is used up. Of several that ask, one ever gets it. @throws ConfigFailure when that cannot be written down */
  use(identity: string, nowMs: number): Invited | string {
    const invited = this.look(identity, nowMs)
    if (typeof invited === 'string') return invited
    return this.rename(identity, 'open', 'used') ? invited : overText
  }

  /** Nobody has withdrawn it since it was used up. */
  isUsed(identity: string): boolean {
    return this.read(identity, 'used') !== undefined
  }

  /** It led to nothing, and is good again unless it was withdrawn. @throws ConfigFailure when that cannot be written down */
  giveBack(identity: string): void {
    this.rename(identity, 'used', 'open')
  }

  /**
   * Nobody joins by an invitation of this peer any more, not even who is about to. Answers how many were open.
   * @throws ConfigFailure when that cannot be written down
   */
  withdraw(peer: string): number {
    const of = (wanted: State) =>
      this.names().flatMap((name) => {
        const [identity = '', state] = name.split('.')
        return state === wanted && this.read(identity, wanted)?.peer === peer ? [identity] : []
      })
    const open = of('open').filter((identity) => this.rename(identity, 'open', 'withdrawn')).length
    for (const identity of of('used')) this.rename(identity, 'used', 'withdrawn')
    return open
  }

  /** false: it is not there any more. */
  private rename(identity: string, from: State, to: State): boolean {
    try {
      renameSync(this.at(identity, from), this.at(identity, to))
      return true
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      if (error.code === 'ENOENT') return false
      const file = this.at(identity, from)
      throw new ConfigFailure('unreadable', `${file}: cannot be renamed: ${String(error.code)}`, error)
    }
  }

  private read(identity: string, state: State): Stored | undefined {
    if (!invitationPattern.test(identity)) return undefined
    try {
      return storedOf(readPrivateFile(this.at(identity, state)))
    } catch (error) {
      if (error instanceof ConfigFailure) return undefined
      throw error
    }
  }

  private at(identity: string, state: State): string {
    return join(this.directory, `${identity}.${state}`)
  }

  /** None where nobody was ever invited. */
  private names(): string[] {
    try {
      return readdirSync(this.directory)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      if (error.code === 'ENOENT') return []
      throw new ConfigFailure('unreadable', `${this.directory}: cannot be listed: ${String(error.code)}`, error)
    }
  }

  private forget(nowMs: number): void {
    for (const name of this.names()) {
      const [identity = '', state] = name.split('.')
      const stored = isState(state) ? this.read(identity, state) : undefined
      if (stored !== undefined && stored.expires + rememberedMs < nowMs) rmSync(join(this.directory, name))
    }
  }
}

export const overText = 'this invitation has been used or withdrawn: ask for another one'

const isState = (text: string | undefined): text is State => text === 'open' || text === 'used' || text === 'withdrawn'

function storedOf(text: string): Stored | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { version, peer, root, readOnly, expires, key }: Partial<Record<keyof Stored, unknown>> = value
  if (version !== 1 || typeof peer !== 'string' || typeof root !== 'string' || typeof readOnly !== 'boolean')
    return undefined
  if (typeof expires !== 'number' || typeof key !== 'string' || !/^[0-9a-f]{64}$/.test(key)) return undefined
  return { version, peer, root, readOnly, expires, key }
}
