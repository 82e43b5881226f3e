import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs `npm run sim`, and answers what it printed and its exit code. */
function sim(words: readonly string[], preload: string): Promise<{ readonly said: string; readonly code: unknown }> {
  const preloaded = { ...process.env, NODE_OPTIONS: `--import=${new URL(preload, import.meta.url).href}` }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['node_modules/tsx/dist/cli.mjs', 'test/sim/main.ts', ...words],
      { cwd: root, env: preloaded },
      (error, stdout, stderr) => resolve({ said: `${stdout}${stderr}`, code: error === null ? 0 : error.code }),
    )
  })
}

test('a history that ends its process is named, counts as failed, and the others run', async () => {
  const { said, code } = await sim(['--seeds', '4', '--jobs', '1'], './fixtures/bad-seeds.mjs')
  expect(said).toContain('seed 2:\n  outside of its history: RangeError: nobody awaits this\n')
  expect(said).toContain('seed 3:\n  its process ended with SIGKILL\n')
  expect(said).toMatch(/^4 histories .*: 2 failed$/m)
  const replays = said.split('\n').filter((line) => line.startsWith('  npm run sim -- --replay '))
  expect(replays.map((line) => /"seed":(\d+)/.exec(line)?.[1])).toEqual(['2', '3'])
  expect(code).toBe(1)
})
