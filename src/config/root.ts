import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { unreachable } from '../core/assert.js'
import { type AbsPath, absPath } from '../core/path.js'
import { type Endpoint, endpointText } from '../host/sockets.js'
import { ConfigFailure } from './config.js'
import { peerNamePattern, peerNameRule } from './secret.js'

export const defaultPort = 4242

/** A root as it was typed, understood but not looked at. */
export type RootSpec =
  | { readonly kind: 'local'; readonly path: AbsPath }
  | { readonly kind: 'wss' | 'ws'; readonly endpoint: Endpoint; readonly name: string }
  | { readonly kind: 'socket'; readonly path: AbsPath; readonly name: string }
  | SshSpec

export interface SshSpec {
  readonly kind: 'ssh'
  /** undefined: as ssh has it. */
  readonly user: string | undefined
  readonly host: string
  readonly port: number | undefined
  /** Absolute, or '~/' and one that begins at the home directory there. */
  readonly name: string
}

/**
 * Reads a root: a path, file:// and a path, wss://host[:port]/name with an IPv6 address in brackets, socket://{path}/name,
 * ssh://[user@]host[:port]/path, or ws:// as wss://.
 * @throws ConfigFailure 'bad-root'
 */
export function parseRoot(text: string, workingDirectory: string): RootSpec {
  if (text === '') throw badRoot(text, 'the empty name is no root')
  if (text.includes('\0')) throw badRoot(text, 'a path cannot hold NUL')
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]
  if (scheme === undefined) {
    if (text.startsWith('//'))
      throw badRoot(text, 'a path has one leading slash; a root on another machine is wss://host:port/name')
    return { kind: 'local', path: absPath(resolve(workingDirectory, text)) }
  }
  const rest = text.slice(scheme.length + 3)
  switch (scheme.toLowerCase()) {
    case 'wss':
      return { kind: 'wss', ...parseServed(text, rest, 'wss') }
    case 'ws':
      return { kind: 'ws', ...parseServed(text, rest, 'ws') }
    case 'file':
      return parseFile(text, rest, workingDirectory)
    case 'ssh':
      return parseSsh(text, rest)
    case 'socket':
      return parseSocket(text, rest, workingDirectory)
    default:
      throw badRoot(
        text,
        `there are no roots over ${scheme}://; a root is a path, wss://host[:port]/name, ssh://[user@]host[:port]/path or socket://{path}/name`,
      )
  }
}

/** `file://path` is relative, `file:///path` absolute, `file:////path` too: as in Unison. */
function parseFile(text: string, rest: string, workingDirectory: string): RootSpec {
  if (rest === '') throw badRoot(text, 'there is no path after file://')
  if (/^[^/]*:\d/.test(rest)) throw badRoot(text, 'file:// takes no port')
  return { kind: 'local', path: absPath(resolve(workingDirectory, rest.replace(/^\/+/, '/'))) }
}

function parseServed(
  text: string,
  rest: string,
  scheme: string,
): { readonly endpoint: Endpoint; readonly name: string } {
  const slash = rest.indexOf('/')
  if (slash < 0) throw badRoot(text, `the name of the root is missing: ${scheme}://host:port/name`)
  const name = servedName(text, rest.slice(slash + 1))
  const authority = rest.slice(0, slash)
  if (authority.includes('@'))
    throw badRoot(text, `${scheme}:// takes no user; the key file (--secret-file) says who asks`)
  const endpoint = parseEndpoint(authority, 1)
  if (typeof endpoint === 'string') throw badRoot(text, endpoint)
  return { endpoint, name }
}

function servedName(text: string, given: string): string {
  const name = given.replace(/\/+$/, '')
  if (!peerNamePattern.test(name)) throw badRoot(text, `the name of a served root is ${peerNameRule}`)
  return name
}

/** `socket://{path}/name`: the path of a Unix socket of this machine. */
function parseSocket(text: string, rest: string, workingDirectory: string): RootSpec {
  if (!rest.startsWith('{'))
    throw badRoot(
      text,
      "Unison's socket:// sends everything unencrypted and to whoever asks; serve the root with tandem and name it wss://host:port/name, or socket://{path}/name for a Unix socket of this machine",
    )
  const parts = /^\{([^{}]+)\}\/(.*)$/.exec(rest)
  const path = parts?.[1]
  if (path === undefined) throw badRoot(text, 'a root over a Unix socket is socket://{/path/of/socket}/name')
  return { kind: 'socket', path: absPath(resolve(workingDirectory, path)), name: servedName(text, parts?.[2] ?? '') }
}

/** `ssh://host/path` begins at the home directory there, `ssh://host//path` at the root: as in Unison. */
function parseSsh(text: string, rest: string): SshSpec {
  const slash = rest.indexOf('/')
  const authority = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 ? '' : rest.slice(slash + 1)
  const at = authority.lastIndexOf('@')
  const user = at < 0 ? undefined : authority.slice(0, at)
  // It stands among the arguments of ssh: nothing here may look like an option.
  if (user !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9._+\\-]{0,63}\$?$/.test(user))
    throw badRoot(text, `'${user}' is no name of a user`)
  const where = authority.slice(at + 1)
  const endpoint = parseEndpoint(where, 1)
  if (typeof endpoint === 'string') throw badRoot(text, endpoint)
  const hasPort = /^(?:\[[^\]]*\]|[^:[\]]*):/.test(where)
  const name = path.startsWith('/') ? `/${path.replace(/^\/+/, '')}` : `~/${path}`
  if (Buffer.byteLength(name) > sshPathBytesMax) throw badRoot(text, `a path of more than ${sshPathBytesMax} bytes`)
  return { kind: 'ssh', user, host: endpoint.host, port: hasPort ? endpoint.port : undefined, name }
}

/** The kernel's own limit. */
const sshPathBytesMax = 4_095

/**
 * `host`, `host:port`, `[address]`, `[address]:port`; the port is 4242 where none is given. Answers why it cannot be, as a string.
 * `portMin` is 0 for a listener (any free port) and 1 for what is connected to.
 */
export function parseEndpoint(text: string, portMin: 0 | 1): Endpoint | string {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  const plain = /^([^:[\]]*)(?::([^:]*))?$/.exec(text)
  const host = bracketed?.[1] ?? plain?.[1]
  const portText = bracketed === null ? plain?.[2] : bracketed[2]
  if (host === undefined) return `'${text}' is no address; an IPv6 address stands in brackets, as [::1]:4242`
  if (host === '') return 'the host is missing'
  if (bracketed !== null ? isIP(host) !== 6 : !/^[A-Za-z0-9]([A-Za-z0-9._-]{0,253})$/.test(host))
    return `'${host}' is no host name or address`
  if (portText === undefined) return { host, port: defaultPort }
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : -1
  if (port < portMin || port > 65_535) return `'${portText}' is no port; it is a number from ${portMin} to 65535`
  return { host, port }
}

/** The full name of a root, as it is typed. */
export function specText(spec: RootSpec): string {
  switch (spec.kind) {
    case 'local':
      return spec.path
    case 'ssh':
      return `ssh://${sshHost(spec)}/${spec.name.replace(/^~\//, '')}`
    case 'socket':
      return `socket://{${spec.path}}/${spec.name}`
    case 'wss':
    case 'ws':
      return `${spec.kind}://${endpointText(spec.endpoint)}/${spec.name}`
    default:
      return unreachable(spec)
  }
}

/** [user@]host[:port], as it was typed. */
export function sshHost({ user, host, port }: SshSpec): string {
  const at = user === undefined ? '' : `${user}@`
  return `${at}${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`
}

function badRoot(text: string, why: string): ConfigFailure {
  return new ConfigFailure('bad-root', `${text}: ${why}`)
}
