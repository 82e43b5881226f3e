import { unreachable } from '../core/assert.js'
import type { Secret } from '../host/sockets.js'
import type { Assignment } from './assignment.js'
import { ConfigFailure, type RootConfig } from './config.js'
import { type RootSpec, type SshSpec, sshHost } from './root.js'

/** What leads to a root on another machine, or in another process of this one. */
export interface Carriage {
  /** Of a wss:// root. */
  secret(): Secret
  /** ws:// was asked for. */
  readonly insecure: boolean
  /** Of which sshcmd, sshargs and servercmd count. */
  readonly given: readonly Assignment[]
}

/** @throws ConfigFailure 'bad-root' */
export function rootConfigOf(spec: RootSpec, { secret, insecure, given }: Carriage): RootConfig {
  switch (spec.kind) {
    case 'local':
    case 'socket':
      return spec
    case 'wss':
      return { kind: 'wss', endpoint: spec.endpoint, name: spec.name, secret: secret() }
    case 'ws':
      if (!insecure)
        throw new ConfigFailure(
          'bad-root',
          'ws:// is not encrypted and asks for no key; use wss://, or say insecure = true (--insecure) for a connection inside this machine',
        )
      if (!isLoopback(spec.endpoint.host))
        throw new ConfigFailure('bad-root', `ws:// never leaves this machine, and ${spec.endpoint.host} is another`)
      return { kind: 'ws', endpoint: spec.endpoint, name: spec.name }
    case 'ssh': {
      const host = sshHost(spec)
      return { kind: 'ssh', host, name: spec.name, command: sshCommand(spec, given) }
    }
    default:
      return unreachable(spec)
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** As Unison calls it; there a shell takes `servercmd` apart. */
function sshCommand({ user, host, port }: SshSpec, given: readonly Assignment[]): readonly [string, ...string[]] {
  const last = (name: string, otherwise: string) => given.findLast((one) => one.name === name)?.value || otherwise
  const args = last('sshargs', '')
    .split(/\s+/)
    .filter((word) => word !== '')
  return [
    last('sshcmd', 'ssh'),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    // No escape character: the stream is not a terminal's.
    '-e',
    'none',
    ...args,
    host,
    `${last('servercmd', 'tandem')} serve --stdio`,
  ]
}
