import { readFileSync } from 'node:fs'
import { decodeName } from '../core/path.js'
import { type Assignment, assignment } from './assignment.js'
import { ConfigFailure } from './config.js'
import { findPreference } from './preferences-table.js'

/**
 * A profile in Unison's syntax: one `name = value` a line, split at the first '='; blanks around both are dropped, blank lines and
 * lines that begin with '#' too, and so are carriage returns and a byte order mark. Bytes that are not UTF-8 are kept as in names.
 *
 * @throws ConfigFailure with file and line
 */
export function readProfile(file: string): Assignment[] {
  return parseProfile(decodeName(readProfileBytes(file)), file)
}

function readProfileBytes(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigFailure('bad-profile', `${file}: the profile cannot be read: ${why}`, error)
  }
}

export function parseProfile(text: string, file: string): Assignment[] {
  const lines = text
    .replace(/^\ufeff/, '')
    .replaceAll('\r', '')
    .split('\n')
  return lines.flatMap((line, at) => parseLine(line, `${file}:${at + 1}`))
}

function parseLine(line: string, from: string): Assignment[] {
  const trimmed = line.trim()
  if (trimmed === '' || trimmed.startsWith('#')) return []
  const directive = /^(include|source)\??(?:\s+|$)/.exec(trimmed)
  if (directive !== null) return [assignment(directive[1] ?? '', '', from)]
  const split = trimmed.indexOf('=')
  if (split < 0)
    throw new ConfigFailure(
      'bad-profile',
      `${from}: '${trimmed}' has no '='; a line is 'name = value' or begins with '#'`,
    )
  const name = trimmed.slice(0, split).trimEnd()
  const value = trimmed.slice(split + 1).trimStart()
  if (['version', 'help'].includes(findPreference(name)?.name ?? ''))
    throw new ConfigFailure('bad-profile', `${from}: '${name}' belongs on the command line only`)
  return [assignment(name, value, from)]
}
