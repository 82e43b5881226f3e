import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseConfigFile } from '../../src/config/file.js'
import { knownKeys } from '../../src/config/file-shape.js'
import { freshDirectory, keyText, write } from './fixtures.js'

const example = readFileSync(new URL('../../config.example.toml', import.meta.url), 'utf8')
const shown = /^(?:# )?([a-z_]+) = (.+)$/

/** Every key of the example by table, those that are commented out too. */
function shownKeys(): Record<string, string[]> {
  const keys: Record<string, Set<string>> = {}
  let table = ''
  for (const line of example.split('\n')) {
    table = /^\[\[?([a-z]+)\]/.exec(line)?.[1] ?? table
    const key = shown.exec(line)?.[1]
    if (key === undefined) continue
    keys[table] ??= new Set()
    keys[table]?.add(key)
  }
  return Object.fromEntries(Object.entries(keys).map(([name, set]) => [name, [...set].sort()]))
}

/** With key files that are there. */
function parse(text: string) {
  const directory = freshDirectory()
  for (const name of ['laptop', 'nas']) write(join(directory, `${name}.key`), keyText(name))
  return parseConfigFile(text.replaceAll('/etc/tandem/', `${directory}/`), join(directory, 'c.toml'), '/home/u')
}

test('the example is a configuration', async () => {
  const config = await parse(example)
  expect(config.pairs.map(({ name }) => name)).toEqual(['photos', 'notes'])
  expect(config.serves).toMatchObject([{ name: 'music', path: '/srv/music' }])
})

test('what is commented out is a configuration too', async () => {
  // Whoever is not asked for a key needs none: that one goes without [[peers]].
  const all = example.replace(/^# (?=[a-z_]+ = )/gm, '').replace(/(\n\[listen\][\s\S]*?)insecure = true\n/, '$1')
  const config = await parse(all)
  expect(config.pairs[0]?.preferences).toMatchObject({ force: 'newer', retry: 2, path: ['originals', 'albums'] })
})

test('every key that is shown is known, and every known key is shown', () => {
  const keys = shownKeys()
  const known = knownKeys()
  // A preference is shown once, for all pairs or for one.
  const preferences = [...new Set([...(keys.preferences ?? []), ...(keys.pair ?? [])])].sort()
  expect(preferences).toEqual([...new Set([...known.preferences, ...known.pair])].sort())
  for (const key of keys.preferences ?? []) expect(known.preferences).toContain(key)
  for (const key of keys.pair ?? []) expect(known.pair).toContain(key)
  for (const table of ['listen', 'serve', 'peers'] as const) expect(keys[table]).toEqual([...known[table]].sort())
})
