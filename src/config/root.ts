import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { type AbsPath, absPath } from '../core/path.js'
import type { Endpoint } from '../host/sockets.js'
import { ConfigFailure } from './config.js'
import { peerNamePattern, peerNameRule } from './secret.js'

export const defaultPort = 4242

/** A root as it was typed, understood but not looked at. */
export type RootSpec =
  | { readonly kind: 'local'; readonly path: AbsPath }
  | { readonly kind: 'wss'; readonly endpoint: Endpoint; readonly name: string }

/**
 * Reads a root: a path, file:// and a path, or wss://host[:port]/name with an IPv6 address in brackets.
 * @throws ConfigFailure 'bad-root'; 'not-built' for the other kinds of root that Unison and tandem know
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
      return parseWss(text, rest)
    case 'file':
      return parseFile(text, rest, workingDirectory)
    case 'ssh':
      throw new ConfigFailure(
        'not-built',
        `${text}: roots over ssh:// are known, but this version of tandem does not have them yet`,
      )
    case 'socket':
      if (rest.startsWith('{'))
        throw new ConfigFailure(
          'not-built',
          `${text}: roots over a Unix socket are known, but this version of tandem does not have them yet`,
        )
      throw badRoot(
        text,
        "Unison's socket:// sends everything unencrypted and to whoever asks; serve the root with tandem and name it wss://host:port/name",
      )
    case 'ws':
      throw badRoot(text, 'ws:// is not encrypted; use wss://')
    default:
      throw badRoot(text, `there are no roots over ${scheme}://; a root is a path or wss://host[:port]/name`)
  }
}

/** `file://path` is relative, `file:///path` absolute, `file:////path` too: as in Unison. */
function parseFile(text: string, rest: string, workingDirectory: string): RootSpec {
  if (rest === '') throw badRoot(text, 'there is no path after file://')
  if (/^[^/]*:\d/.test(rest)) throw badRoot(text, 'file:// takes no port')
  return { kind: 'local', path: absPath(resolve(workingDirectory, rest.replace(/^\/+/, '/'))) }
}

function parseWss(text: string, rest: string): RootSpec {
  const slash = rest.indexOf('/')
  if (slash < 0) throw badRoot(text, 'the name of the root is missing: wss://host:port/name')
  const name = rest.slice(slash + 1).replace(/\/+$/, '')
  if (!peerNamePattern.test(name)) throw badRoot(text, `the name of a served root is ${peerNameRule}`)
  const authority = rest.slice(0, slash)
  if (authority.includes('@')) throw badRoot(text, 'wss:// takes no user; the key file (--secret-file) says who asks')
  const endpoint = parseEndpoint(authority, 1)
  if (typeof endpoint === 'string') throw badRoot(text, endpoint)
  return { kind: 'wss', endpoint, name }
}

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

export function endpointText(endpoint: Endpoint): string {
  return `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`
}

function badRoot(text: string, why: string): ConfigFailure {
  return new ConfigFailure('bad-root', `${text}: ${why}`)
}
