import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('./fixtures/host-process.mjs', import.meta.url))

// In a process of its own: what is to be shown is that nothing is left that keeps it alive.
test.each(['unused', 'watching'])('a process ends by itself after its host was closed: %s', (how) => {
  const { status, stdout } = spawnSync(process.execPath, [script, how], { encoding: 'utf8', timeout: 20_000 })
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'closed\n' })
})
