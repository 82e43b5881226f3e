import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import type { Random } from '../host/clock.js'
import type { Secret } from '../host/sockets.js'
import { ConfigFailure } from './config.js'
import { readPrivateFile } from './private-file.js'

/**
 * A key file, TOML, version 1 (the first):
 *
 *     # any comments
 *     identity = "laptop"
 *     key = "64 hexadecimal digits"
 */
export const keyBytes = 32

/** Names of peers and of served roots: what fits a PSK identity and a URL without any quoting. */
export const peerNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
export const peerNameRule = "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"

/** @throws ConfigFailure; no message holds the key or a part of it */
export function readSecret(file: string): Secret {
  return parseSecret(readPrivateFile(file), file)
}

export function parseSecret(text: string, file: string): Secret {
  let identity: string | undefined
  let key: Uint8Array | undefined
  for (const [at, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    // Our own two lines, and no more, so that no parser's message can show a piece of the key.
    const parts = /^(identity|key)\s*=\s*"([^"\\]*)"\s*(?:#.*)?$/.exec(trimmed)
    const name = parts?.[1]
    const value = parts?.[2]
    if (name === undefined || value === undefined)
      throw new ConfigFailure(
        'bad-config',
        `${file}:${at + 1}: not a line of a key file; it has identity = "NAME" and key = "HEX"`,
      )
    if ((name === 'identity' ? identity : key) !== undefined)
      throw new ConfigFailure('bad-config', `${file}:${at + 1}: ${name} is given twice`)
    if (name === 'identity') identity = checkedName(value, `${file}:${at + 1}`)
    else key = checkedKey(value, `${file}:${at + 1}`)
  }
  if (identity === undefined) throw new ConfigFailure('bad-config', `${file}: has no identity = "NAME"`)
  if (key === undefined) throw new ConfigFailure('bad-config', `${file}: has no key = "HEX"`)
  return { identity, key }
}

function checkedName(name: string, from: string): string {
  if (!peerNamePattern.test(name))
    throw new ConfigFailure('bad-config', `${from}: the identity must be ${peerNameRule}`)
  return name
}

function checkedKey(text: string, from: string): Uint8Array {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Uint8Array.from(Buffer.from(text, 'hex'))
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) return Uint8Array.from(Buffer.from(text, 'base64url'))
  throw new ConfigFailure('bad-config', `${from}: the key must be 64 hexadecimal digits, as tandem keygen writes them`)
}

/** The text of a new key file. */
export function secretText(identity: string, random: Pick<Random, 'bytes'>): string {
  return keyText(identity, Buffer.from(random.bytes(keyBytes)).toString('hex'))
}

/** `key`: 64 hex digits. */
export function keyText(identity: string, key: string): string {
  return `# Key of the peer ${identity}. Whoever has it can use what the peer may use.\nidentity = "${identity}"\nkey = "${key}"\n`
}

/**
 * Makes a key file that only its owner may read. @throws ConfigFailure 'bad-config' for a name that breaks the rule;
 * 'unreadable' when the file exists or cannot be made: a key is never overwritten
 */
export function writeSecret(file: string, identity: string, random: Pick<Random, 'bytes'>): void {
  checkedName(identity, 'NAME')
  const handle = createPrivate(file)
  try {
    writeSync(handle, secretText(identity, random))
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function createPrivate(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const why =
      code === 'EEXIST'
        ? 'exists already, and a key is never overwritten; name another file'
        : `cannot be made: ${code}`
    throw new ConfigFailure('unreadable', `${file}: ${why}`, error)
  }
}
