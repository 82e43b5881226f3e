import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { factsKey } from '../../src/archive/archive.js'
import { absPath } from '../../src/core/path.js'
import { nodeStores } from '../../src/host/node/store.js'
import { expectEqual, type Sandbox, sandbox, tree } from './harness.js'
import { noiseInside, overwrite } from './noise.js'

/** Two equal roots of some hundred files, known to each other. */
export async function known(): Promise<Sandbox> {
  const box = sandbox()
  for (let at = 0; at < 300; at++) box.write(`a/d${at % 7}/${at}`, `file ${at}`)
  for (const name of ['edited', 'gone']) box.write(`a/${name}`, 'old')
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
  return box
}

export const archive = (box: Sandbox) => onlyIn(box.at('state/pairs'), 'archive.mdb')

/** Of both roots: which of them is whose is no matter. */
export const indices = (box: Sandbox) =>
  readdirSync(box.at('state/roots')).map((name) => box.at('state/roots', name, 'index.mdb'))

function onlyIn(directory: string, name: string): string {
  const [only = '', ...more] = readdirSync(directory)
  expect(more).toEqual([])
  return join(directory, only, name)
}

const damages: readonly [string, (path: string) => void, string][] = [
  // what is wrong with it            done                                                         what is said of it
  ['corrupt from the beginning', (path) => overwrite(path, 0, randomBytes(10_000)), 'corrupt'],
  ['all noise', (path) => overwrite(path, 0, randomBytes(statSync(path).size)), 'corrupt'],
  ['noise in between', noiseInside, 'corrupt'],
  ['truncated', (path) => truncateSync(path, Math.floor(statSync(path).size / 2)), 'corrupt'],
  ['truncated to its first page', (path) => truncateSync(path, 4_096), 'corrupt'],
]

/** Changes one record, as a version to come would have written it. */
function amend(path: string, key: Uint8Array, change: (value: Buffer) => Buffer): void {
  const store = nodeStores().open(absPath(path))
  const value = store.get(key)
  if (value === undefined) throw new Error(`no such record in ${path}`)
  store.write((edit) => edit.put(key, change(Buffer.from(value))))
  store.close()
}

const newer = (value: Buffer) => Buffer.concat([Uint8Array.of((value[0] ?? 0) + 1), value.subarray(1)])

/** That is how each store says which format it has. */
/** In every `npm test`; the rest in test:full. */
export const usualDamages: ReadonlySet<string> = new Set(['noise in between', 'truncated', 'newer'])

const archiveDamages: typeof damages = [
  ...damages,
  ['newer', (path) => amend(path, factsKey, newer), 'the archive has format 2, this version of tandem reads 1'],
]
const indexDamages: typeof damages = [
  ...damages,
  [
    'newer',
    (path) => amend(path, Buffer.from('mformat'), newer),
    'the index has format 3, this version of tandem reads 2',
  ],
]

const aside = (path: string) => readdirSync(join(path, '..')).filter((name) => name.includes('.mdb.aside-'))

/** Each of these damages to an archive, and to an index. */
export function describeDamages(isWanted: (what: string) => boolean): void {
  test.each(archiveDamages.filter(({ 0: what }) => isWanted(what)))(
    'an archive that is %s is moved aside: as if for the first time, so nothing is removed',
    async (_, damage, why) => {
      const box = await known()
      const path = archive(box)
      damage(path)
      const size = statSync(path).size
      box.write('a/edited', 'edited on a')
      rmSync(box.at('a/gone'))
      const end = await box.tandem(['sync', 'a', 'b'])
      expect(end.code).toBe(1)
      expect(end.stderr).toMatch(new RegExp(`archive.mdb was moved aside to .*archive.mdb.aside-[^:]*: .*${why}`))
      expect(aside(path)).toHaveLength(1)
      expect(statSync(join(path, '..', aside(path)[0] ?? '')).size).toBe(size)
      expect(box.read('a/gone')).toBe('old')
      expect([box.read('a/edited'), box.read('b/edited')]).toEqual(['edited on a', 'old'])
      // And from here on as ever.
      rmSync(box.at('a/edited'))
      box.write('a/edited', 'old', {
        mtime: `@${statSync(box.at('b/edited'), { bigint: true }).mtimeNs / 1_000_000_000n}`,
      })
      rmSync(box.at('b/gone'))
      expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
      expect(box.exists('a/gone')).toBe(false)
      expectEqual(box.at('a'), box.at('b'))
    },
  )

  test.each(indexDamages.filter(({ 0: what }) => isWanted(what)))(
    'an index that is %s is moved aside and made anew: what the archive knows still counts',
    async (_, damage, why) => {
      const box = await known()
      for (const path of indices(box)) damage(path)
      box.write('a/edited', 'edited on a')
      rmSync(box.at('b/gone'))
      const end = await box.tandem(['sync', 'a', 'b'])
      expect(end.code, end.stdout).toBe(0)
      expect(
        end.stderr.match(new RegExp(`index.mdb was moved aside to .*index.mdb.aside-[^:]*: .*${why}`, 'g')),
      ).toHaveLength(2)
      for (const path of indices(box)) expect(aside(path)).toHaveLength(1)
      expect(box.exists('a/gone')).toBe(false)
      expect(box.read('b/edited')).toBe('edited on a')
      expectEqual(box.at('a'), box.at('b'))
      expect(Object.keys(tree(box.at('b')))).toHaveLength(309)
    },
  )
}
