import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Pairing } from '../agent/serve.js'
import { withTables } from '../config/edit.js'
import { Invitations } from '../config/invitations.js'
import { readPrivateFile, writePrivateFile } from '../config/private-file.js'
import { keyText } from '../config/secret.js'
import { Failure } from '../core/failure.js'
import { LinkFailure } from '../host/sockets.js'

/** Where the keys of a configuration file are that tandem made itself: beside it. */
export const keysName = 'keys'

/** Makes a key file beside a configuration file; its name, as the file names it. It must not exist. @throws ConfigFailure */
export function writeKeyBeside(config: string, name: string, identity: string, key: string): string {
  mkdirSync(join(dirname(config), keysName), { recursive: true, mode: 0o700 })
  const file = `${keysName}/${name}.key`
  writePrivateFile(join(dirname(config), file), keyText(identity, key), { fresh: true })
  return file
}

/** Invites by the invitations of a state directory into a configuration file, which the agent then follows. */
export function pairingOf(stateDir: string, config: string, reread: () => Promise<void>): Pairing {
  const invitations = new Invitations(stateDir)
  return {
    keyOf: (identity) => invitations.keyOf(identity),
    redeem: async (identity, key) => {
      const invited = invitations.use(identity, Date.now())
      if (typeof invited === 'string') return new LinkFailure('denied', invited)
      const { peer, root, readOnly } = invited
      try {
        // Before anything is written: a file that cannot be read cannot be followed either.
        const text = readPrivateFile(config)
        const keyFile = writeKeyBeside(config, peer, peer, key)
        const values = { name: peer, key_file: keyFile, roots: [root], ...(readOnly ? { read_only: true } : {}) }
        writePrivateFile(config, withTables(text, [{ name: 'peers', values }]))
        await reread()
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return new LinkFailure('denied', `the peer could not be written down there: ${error.message}`, error)
      }
      return { peer, root, readOnly }
    },
  }
}
