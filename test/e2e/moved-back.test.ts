import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { setTimeout as rest } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sandbox } from './harness.js'

test('a directory that was away while a file was being written in its place is looked at whole when it is back', async () => {
  const box = sandbox()
  box.write('a/d/x', 'v1')
  mkdirSync(box.at('out'))
  const agent = box.start(['watch', 'a', 'b'])
  await agent.event('pair-current')
  renameSync(box.at('a/d'), box.at('out/d'))
  const file = openSync(box.at('a/d'), 'w')
  try {
    writeFileSync(box.at('out/d/x'), 'made outside')
    // A program that writes now and then.
    for (let times = 0; times < 4; times++) {
      writeSync(file, 'half')
      await rest(100)
    }
    rmSync(box.at('a/d'))
    renameSync(box.at('out/d'), box.at('a/d'))
  } finally {
    closeSync(file)
  }
  const flushed = async () => {
    await box.tandem(['flush'])
    return box.read('b/d/x')
  }
  await expect.poll(flushed).toBe('made outside')
})
