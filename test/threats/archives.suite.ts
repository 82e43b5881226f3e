import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { expectEqual, type Sandbox, sandbox, tree as treeOf } from '../e2e/harness.js'
import { noiseInside } from '../e2e/noise.js'

/** Two pairs, both known, of which one is to be harmed. */
async function known(): Promise<Sandbox> {
  const box = sandbox()
  for (let at = 0; at < 100; at++) box.write(`a/d${at % 7}/${at}`, `file ${at}`)
  box.write('c/other', 'of another pair')
  for (const [one, other] of [
    ['a', 'b'],
    ['c', 'd'],
  ] as const)
    expect((await box.tandem(['sync', one, other])).code).toBe(0)
  return box
}

const archiveOf = (box: Sandbox, largest: boolean) =>
  fs
    .readdirSync(box.at('state/pairs'))
    .map((id) => box.at('state/pairs', id, 'archive.mdb'))
    .sort((one, other) => fs.statSync(other).size - fs.statSync(one).size)
    .at(largest ? 0 : -1) ?? ''

const harms: [string, (archive: string, other: string) => void, 0 | 3][] = [
  // what became of it    how                                                                              how a pass ends
  ['noise', (archive) => fs.writeFileSync(archive, Buffer.alloc(fs.statSync(archive).size, 0xa5)), 0],
  ['cut off', (archive) => fs.truncateSync(archive, 8_192), 0],
  ['empty', (archive) => fs.truncateSync(archive, 0), 0],
  ['noise behind its first two pages', noiseInside, 0],
  // Whose roots these are cannot be told: a person says.
  ["another pair's", (archive, other) => fs.copyFileSync(other, archive), 3],
]
/** In every `npm test`; the rest in test:full. */
export const usualHarms: ReadonlySet<string> = new Set(['noise behind its first two pages', "another pair's"])

export function describeHarms(isWanted: (what: string) => boolean): void {
  test.each(harms.filter(({ 0: what }) => isWanted(what)))(
    'T21: an archive that is %s removes nothing, is no crash, and is one again after',
    async (_, harm, code) => {
      const box = await known()
      const archive = archiveOf(box, true)
      const other = archiveOf(box, false)
      expect(archive).not.toBe(other)
      harm(archive, other)
      fs.rmSync(box.at('a/d1/1'))
      const before = treeOf(box.at('b'))
      const end = await box.tandem(['sync', 'a', 'b', '--batch'])
      expect(end.code, end.stderr).toBe(code)
      expect(treeOf(box.at('b'))).toEqual(before)
      if (code !== 0) expect((await box.tandem(['sync', 'a', 'b', '--batch', '-ignorearchives'])).code).toBe(0)
      expectEqual(box.at('a'), box.at('b'))
      expect(treeOf(box.at('b'))).toEqual(before)
      fs.rmSync(box.at('a/d1/1'))
      expect((await box.tandem(['sync', 'a', 'b', '--batch'])).code).toBe(0)
      expect(box.exists('b/d1/1')).toBe(false)
    },
  )
}
