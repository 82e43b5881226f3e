import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeDepths } from './depth.suite.js'
import { sandbox, serve } from './harness.js'

describeDepths([['1,000 levels of directories', 'd', 1_000]])

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
