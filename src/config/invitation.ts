import type { Endpoint, Secret } from '../host/sockets.js'
import { endpointText } from '../host/sockets.js'
import { ConfigFailure } from './config.js'
import { parseEndpoint } from './root.js'
import { peerNamePattern } from './secret.js'

/** What one who was invited needs: where to go, and the one-time secret. */
export interface Invitation {
  readonly endpoint: Endpoint
  /** The name that the root is served under. */
  readonly root: string
  readonly secret: Secret
}

const scheme = 'tandem-invite:'
export const invitationPattern = /^invite-[0-9a-f]{16}$/

/** One line without blanks or anything that a shell would take: `tandem-invite:HOST:PORT/ROOT/ID/KEY`. */
export function invitationLine({ endpoint, root, secret }: Invitation): string {
  const id = secret.identity.replace('invite-', '')
  return `${scheme}${endpointText(endpoint)}/${root}/${id}/${Buffer.from(secret.key).toString('base64url')}`
}

/** @throws ConfigFailure 'bad-config'; no message holds the secret or a part of it */
export function parseInvitation(line: string): Invitation {
  const bad = () => new ConfigFailure('bad-config', 'this is no invitation; it is one line, as tandem invite prints it')
  const parts = line.trim().startsWith(scheme) ? line.trim().slice(scheme.length).split('/') : []
  const [address = '', root = '', id = '', text = ''] = parts
  const endpoint = parseEndpoint(address, 1)
  const identity = `invite-${id}`
  const key = Uint8Array.from(Buffer.from(text, 'base64url'))
  if (parts.length !== 4 || typeof endpoint === 'string' || !peerNamePattern.test(root)) throw bad()
  if (!invitationPattern.test(identity) || !/^[A-Za-z0-9_-]{43}$/.test(text) || key.length !== 32) throw bad()
  return { endpoint, root, secret: { identity, key } }
}
