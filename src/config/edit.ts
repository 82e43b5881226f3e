import { isDeepStrictEqual } from 'node:util'
import { parse } from 'smol-toml'
import { ConfigFailure } from './config.js'

/** A table to append: `[[name]]`, or `[name]` for one that there is only one of. */
export interface NewTable {
  readonly name: string
  readonly single?: boolean
  readonly values: Readonly<Record<string, string | boolean | readonly string[]>>
}

/**
 * The text of a configuration with tables at its end; nothing else of it is touched. What comes out is read again and compared, so
 * a text that this cannot follow (a table begun as an inline one) is refused and not spoiled.
 * @throws ConfigFailure 'bad-config'
 */
export function withTables(toml: string, tables: readonly NewTable[]): string {
  const before = documentOf(toml)
  const wanted: Record<string, unknown> = { ...before }
  for (const { name, single = false, values } of tables) {
    const list: unknown = wanted[name]
    wanted[name] = single ? values : [...(Array.isArray(list) ? list : []), values]
  }
  const added = tables.map(({ name, single = false, values }) => {
    const lines = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
    return `${single ? `[${name}]` : `[[${name}]]`}\n${lines.join('\n')}\n`
  })
  const whole = toml === '' || toml.endsWith('\n') ? toml : `${toml}\n`
  return checked(`${whole}${whole === '' ? '' : '\n'}${added.join('\n')}`, wanted)
}

/** The text with an address to listen at, where it says none yet. @throws ConfigFailure 'bad-config' */
export function withAddress(toml: string, address: string): string {
  const { listen = {}, ...others } = documentOf(toml)
  const lines = toml.split('\n')
  const header = lines.findIndex((line) => /^\s*\[\s*listen\s*\]/.test(line))
  if (header < 0) return withTables(toml, [{ name: 'listen', single: true, values: { address } }])
  const line = `address = ${JSON.stringify(address)}`
  const listening = typeof listen === 'object' ? { ...listen, address } : { address }
  return checked(lines.toSpliced(header + 1, 0, line).join('\n'), { ...others, listen: listening })
}

/** The text without the `[[peers]]` of that name; comments stay. @throws ConfigFailure 'bad-config' */
export function withoutPeer(toml: string, name: string): string {
  const before = documentOf(toml)
  const peers: readonly unknown[] = Array.isArray(before.peers) ? before.peers : []
  const at = peers.findIndex((one) => isDeepStrictEqual(nameOf(one), name))
  if (at < 0) throw new ConfigFailure('bad-config', `no peer is named '${name}'`)
  const left = peers.filter((_, index) => index !== at)
  const { peers: _, ...others } = before
  const lines = toml.split('\n')
  const isHeader = (line: string) => /^\s*\[/.test(line)
  const headers = lines.flatMap((line, index) => (/^\s*\[\[\s*peers\s*\]\]/.test(line) ? [index] : []))
  const from = headers[at] ?? lines.length
  const next = lines.findIndex((line, index) => index > from && isHeader(line))
  const to = next < 0 ? lines.length : next
  const kept = lines.filter((line, index) => index < from || index >= to || /^\s*(?:#.*)?$/.test(line))
  return checked(kept.join('\n'), left.length === 0 ? others : { ...others, peers: left })
}

function checked(toml: string, wanted: Readonly<Record<string, unknown>>): string {
  if (isDeepStrictEqual(plain(documentOf(toml)), plain(wanted))) return toml
  throw new ConfigFailure('bad-config', 'the file is written in a way that cannot be edited here: change it by hand')
}

function documentOf(toml: string): Record<string, unknown> {
  try {
    return parse(toml)
  } catch (error) {
    throw new ConfigFailure('bad-config', 'the file is no TOML', error)
  }
}

/** Without what tells objects of the parser from ours. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function nameOf(table: unknown): unknown {
  return typeof table === 'object' && table !== null && 'name' in table ? table.name : undefined
}
