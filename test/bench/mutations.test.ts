import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../../bench/mutations.mjs', import.meta.url))

// A step whose text has changed would be broken by no mutation any more, and nobody would see it until the next long run.
test('what each mutation would break stands in its file, exactly once', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--check'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^\d\d mutations, 0 not applicable\n$/)
  expect(status).toBe(0)
})
