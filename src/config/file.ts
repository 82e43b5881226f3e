import { dirname, join, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import { type AbsPath, absPath } from '../core/path.js'
import type { Endpoint } from '../host/sockets.js'
import { closest } from './closest.js'
import { ConfigFailure, type PeerConfig, type ServeConfig } from './config.js'
import { readPrivateFile } from './private-file.js'
import { defaultPort, parseEndpoint } from './root.js'
import { peerNamePattern, peerNameRule, readSecret } from './secret.js'
import { lineOf, type TomlPath } from './toml-lines.js'

/** What the configuration file says about serving. */
export interface ServingConfig {
  readonly listen: Endpoint
  readonly serves: readonly ServeConfig[]
  readonly peers: readonly PeerConfig[]
}

/**
 * The configuration file, TOML, version 1 (the first): see config.example.toml. Relative paths begin at the file's directory, `~/` at
 * the home directory. Unknown keys are errors. The file must be private, and so must every key file it names.
 *
 * @throws ConfigFailure with file and line
 */
export async function readServingConfig(file: string, homeDirectory: string): Promise<ServingConfig> {
  return parseServingConfig(readPrivateFile(file), file, homeDirectory)
}

export async function parseServingConfig(toml: string, file: string, homeDirectory: string): Promise<ServingConfig> {
  const shape = await servingShape()
  const read = shape.safeParse(parseToml(toml, file))
  const fail = (path: TomlPath, why: string): ConfigFailure =>
    new ConfigFailure('bad-config', `${file}:${lineOf(toml, path)}: ${why}`)
  if (!read.success) throw shapeFailure(read.error, fail)
  const place = (text: string): AbsPath =>
    absPath(text.startsWith('~/') ? join(homeDirectory, text.slice(2)) : resolve(dirname(resolve(file)), text))
  const { listen, serve, peers } = read.data

  const endpoint =
    listen?.address === undefined ? { host: '127.0.0.1', port: defaultPort } : parseEndpoint(listen.address, 0)
  if (typeof endpoint === 'string') throw fail(['listen', 'address'], `address: ${endpoint}`)
  const names = new Set<string>()
  for (const [at, one] of serve.entries()) {
    if (!peerNamePattern.test(one.name))
      throw fail(['serve', at, 'name'], `name: a served root's name is ${peerNameRule}`)
    if (names.has(one.name)) throw fail(['serve', at, 'name'], `two served roots are named '${one.name}'`)
    names.add(one.name)
  }
  const identities = new Set<string>()
  const checkedPeers = peers.map((one, at): PeerConfig => {
    if (!peerNamePattern.test(one.name)) throw fail(['peers', at, 'name'], `name: a peer's name is ${peerNameRule}`)
    if (identities.has(one.name)) throw fail(['peers', at, 'name'], `two peers are named '${one.name}'`)
    identities.add(one.name)
    for (const root of one.roots)
      if (!names.has(root)) {
        const near = closest(root, names)
        throw fail(
          ['peers', at, 'roots'],
          `no served root is named '${root}'${near === undefined ? '' : `; did you mean '${near}'?`}`,
        )
      }
    const secret = readSecret(place(one.key_file))
    if (secret.identity !== one.name)
      throw fail(
        ['peers', at, 'key_file'],
        `the key in ${one.key_file} is that of '${secret.identity}', not of '${one.name}'`,
      )
    return { name: one.name, key: secret.key, roots: one.roots }
  })
  return {
    listen: endpoint,
    serves: serve.map((one) => ({ name: one.name, path: place(one.path) })),
    peers: checkedPeers,
  }
}

function parseToml(toml: string, file: string): unknown {
  try {
    return parse(toml)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const why = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? ''
    throw new ConfigFailure('bad-config', `${file}:${error.line}: ${why} (column ${error.column})`)
  }
}

/** zod takes 55 ms to load: only who reads a configuration file pays for it. */
async function servingShape() {
  const { z } = await import('zod')
  const text = z.string().min(1)
  return z.strictObject({
    listen: z.strictObject({ address: text.optional() }).optional(),
    serve: z.array(z.strictObject({ name: text, path: text })).min(1),
    peers: z.array(z.strictObject({ name: text, key_file: text, roots: z.array(text) })).min(1),
  })
}

/** Names of every key, to guess which one was meant. */
const knownKeys = ['listen', 'address', 'serve', 'name', 'path', 'peers', 'key_file', 'roots']

function shapeFailure(error: z.ZodError, fail: (path: TomlPath, why: string) => ConfigFailure): ConfigFailure {
  // A misspelt table is both an unknown key and a missing one: the former says more.
  const issue = error.issues.find((one) => one.code === 'unrecognized_keys') ?? error.issues[0]
  if (issue === undefined) return fail([], 'not a configuration')
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const near = closest(key, knownKeys)
    const where = path.filter((part) => typeof part === 'string').join('.')
    return fail(
      [...path, key],
      `unknown key '${key}'${where === '' ? '' : ` in ${where}`}${near === undefined ? '' : `; did you mean '${near}'?`}`,
    )
  }
  const name = path.filter((part) => typeof part === 'string').join('.')
  const missing = issue.code === 'invalid_type' && issue.input === undefined && issue.message.includes('undefined')
  return fail(path, missing ? `${name} is missing` : `${name}: ${issue.message}`)
}
