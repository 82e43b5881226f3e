import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Pairing } from '../agent/serve.js'
import { withoutPeer, withTables } from '../config/edit.js'
import { Invitations, type Invited, overText } from '../config/invitations.js'
import { makePrivateDirectory, readPrivateFile, tryPrivateFile, writePrivateFile } from '../config/private-file.js'
import { keyText } from '../config/secret.js'
import { LinkFailure } from '../host/sockets.js'

/** Where the keys of a configuration file are that tandem made itself: beside it. */
export const keysName = 'keys'

/** Makes a key file beside a configuration file; its name, as the file names it. It must not exist. @throws ConfigFailure */
export function writeKeyBeside(config: string, name: string, identity: string, key: string): string {
  makePrivateDirectory(join(dirname(config), keysName))
  writePrivateFile(keyPlace(config, name), keyText(identity, key), { fresh: true })
  return `${keysName}/${name}.key`
}

/** Where the key of that name is beside a configuration file. */
export function keyPlace(config: string, name: string): string {
  return join(dirname(config), keysName, `${name}.key`)
}

/** Finds out whether a configuration file and a key beside it could be written now. @throws ConfigFailure */
export function tryPairing(config: string, name: string): void {
  tryPrivateFile(config)
  makePrivateDirectory(join(dirname(config), keysName))
  tryPrivateFile(keyPlace(config, name))
}

/**
 * Invites by the invitations of a state directory into a configuration file, which the agent then follows. A join that leads to
 * nothing leaves everything as it was, the invitation too.
 */
export function pairingOf(stateDir: string, config: string, reread: () => Promise<void>): Pairing {
  const invitations = new Invitations(stateDir)
  return {
    keyOf: (identity) => invitations.keyOf(identity),
    redeem: async (identity, key) => {
      const done: (() => void)[] = []
      try {
        const invited = invitations.look(identity, Date.now())
        if (typeof invited === 'string') return new LinkFailure('denied', invited)
        // Before it is used up: what cannot be written now, or read, cannot be followed either.
        const text = readPrivateFile(config)
        const wanted = withTables(text, [peerTable(invited)])
        tryPairing(config, invited.peer)

        const used = invitations.use(identity, Date.now())
        if (typeof used === 'string') return new LinkFailure('denied', used)
        done.push(() => invitations.giveBack(identity))
        writeKeyBeside(config, invited.peer, invited.peer, key)
        done.push(() => rmSync(keyPlace(config, invited.peer), { force: true }))
        writePrivateFile(config, wanted)
        done.push(() => withdraw(config, invited.peer, wanted, text))
        // Whoever revokes the peer withdraws first, and looks for it in the file then: one of the two finds the other.
        if (!invitations.isUsed(identity)) {
          undone(done)
          return new LinkFailure('denied', overText)
        }
        await reread()
        return { peer: invited.peer, root: invited.root, readOnly: invited.readOnly }
      } catch (error) {
        // Whatever it was: who joins hears of it, and it is no reason to end what else the agent keeps.
        const isGood = undone(done) && typeof invitations.look(identity, Date.now()) !== 'string'
        const good = isGood ? '; the invitation stays good' : ''
        return new LinkFailure('denied', `the peer could not be written down there: ${messageOf(error)}${good}`, error)
      }
    },
  }
}

function peerTable({ peer, root, readOnly }: Invited) {
  const values = { name: peer, key_file: `${keysName}/${peer}.key`, roots: [root] }
  return { name: 'peers', values: { ...values, ...(readOnly ? { read_only: true } : {}) } }
}

/** Takes a peer out of the file again, into which somebody else may have written meanwhile. @throws ConfigFailure */
function withdraw(config: string, peer: string, wrote: string, before: string): void {
  const now = readPrivateFile(config)
  writePrivateFile(config, now === wrote ? before : withoutPeer(now, peer))
}

/** The last step first. One that cannot be undone holds on to those before it: no key goes that the file still names. */
function undone(done: (() => void)[]): boolean {
  try {
    for (const undo of done.reverse()) undo()
    return true
  } catch {
    return false
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
