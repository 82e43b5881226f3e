import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { foldingDisk } from '../host/folding-disk.js'
import { sandbox } from './harness.js'

/** A root on a real file system that folds case. test/sim/folding.test.ts plays the same on the simulated one. */
const disk = foldingDisk()

if (typeof disk === 'string') test.skip(`a root that folds case: ${disk}`, () => {})
else {
  afterAll(() => disk.dispose())
  const namesIn = (path: string) => readdirSync(path).filter((name) => name !== '.tandem')

  test('two names alike are told, their siblings travel, and one of them comes when the other has gone', async () => {
    const box = sandbox()
    const folding = mkdtempSync(`${disk.path}/root-`)
    for (const name of ['a', 'A', 'b']) box.write(`exact/${name}`, `${name} of exact`)
    const first = await box.tandem(['sync', 'exact', folding])
    expect(first.code).toBe(1)
    expect(namesIn(folding)).toEqual(['b'])
    rmSync(box.at('exact/a'))
    expect(await box.tandem(['sync', 'exact', folding])).toMatchObject({ code: 0 })
    expect(namesIn(folding).sort()).toEqual(['A', 'b'])
    expect(readFileSync(`${folding}/A`, 'utf8')).toBe('A of exact')
  })

  test('a change of case travels both ways while tandem watches', async () => {
    const box = sandbox()
    const folding = mkdtempSync(`${disk.path}/root-`)
    box.write('exact/File', 'text')
    box.write('exact/Dir/inner', 'inner')
    const agent = box.start(['watch', 'exact', folding])
    await agent.until(() => namesIn(folding).length === 2, 'the first pass')
    renameSync(box.at('exact/File'), box.at('exact/file'))
    await agent.until(() => namesIn(folding).includes('file'), 'the change of case there')
    // By way of another name: ext4 takes a rename to another case of the same name for none.
    renameSync(`${folding}/Dir`, `${folding}/between`)
    renameSync(`${folding}/between`, `${folding}/dir`)
    writeFileSync(`${folding}/dir/inner`, 'edited')
    await agent.until(() => box.exists('exact/dir/inner') && box.read('exact/dir/inner') === 'edited', 'it here')
    expect(namesIn(box.at('exact')).sort()).toEqual(['dir', 'file'])
    expect(namesIn(folding).sort()).toEqual(['dir', 'file'])
  })
}
