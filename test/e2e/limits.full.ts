import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeDepths } from './depth.suite.js'
import { sandbox, serve } from './harness.js'

describeDepths([['1,000 levels of directories', 'd', 1_000]])

describe('large', () => {
  test('a file of 10 GiB arrives whole, over the link; where it has holes, the other has', async () => {
    const box = sandbox(existsSync('/dev/shm') ? '/dev/shm' : undefined)
    const sizeBytes = 10 * 1_024 ** 3
    for (const root of ['a', 'b']) mkdirSync(box.at(root))
    const places = [0, 4 * 1_024 ** 3 - 3, 7_777_777_777, sizeBytes - 4]
    const file = openSync(box.at('a/large'), 'w')
    for (const at of places) writeSync(file, 'here', at)
    closeSync(file)
    const { url, keyFile } = await serve(box, { r: 'b' })
    const syncing = box.start(['sync', 'a', url('r'), '--secret-file', keyFile])
    expect(await syncing.endedWithin(540_000)).toMatchObject({ code: 0, stderr: '' })
    const { size, blocks } = statSync(box.at('b/large'))
    expect(size).toBe(sizeBytes)
    expect(blocks * 512).toBeLessThan(16 * 1_024 ** 2)
    const copy = openSync(box.at('b/large'), 'r')
    for (const at of places) {
      const found = Buffer.alloc(4)
      expect(readSync(copy, found, 0, 4, at)).toBe(4)
      expect(found.toString()).toBe('here')
    }
    closeSync(copy)
  }, 600_000)
})

describe('many', () => {
  test('100,000 entries in one directory, over the link: all arrive', async () => {
    const box = sandbox(existsSync('/dev/shm') ? '/dev/shm' : undefined)
    const count = 100_000
    mkdirSync(box.at('a/many'), { recursive: true })
    mkdirSync(box.at('b'))
    // Links to the same target: the quickest entries there are; one in a hundred is a file.
    for (let at = 0; at < count; at++) {
      const path = box.at(`a/many/a rather long name, so that the listing has to be split ${at}`)
      if (at % 100 === 0) writeFileSync(path, `${at}`)
      else symlinkSync('target', path)
    }
    const { url, keyFile } = await serve(box, { r: 'b' })
    expect(await box.tandem(['sync', 'a', url('r'), '--secret-file', keyFile])).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(box.at('b/many'))).toHaveLength(count)
  }, 120_000)
})
