import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { asked, program, sandbox } from './harness.js'

test('stop: an agent that has ended and that its parent has not waited for has ended', {
  timeout: 120_000,
}, async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  const env = { ...process.env, TANDEM_STATE_DIR: box.at('state') }
  // A parent that never waits, as an entry point of a container may be.
  const watch = [process.execPath, program, 'watch', box.at('a'), box.at('b')]
  const parent = spawn('sh', ['-c', '"$@" & exec sleep 100', 'sh', ...watch], { env, stdio: 'ignore' })
  try {
    await asked(box, ['flush'], ({ code }) => code === 0)
    const stopped = await box.tandem(['stop', '--timeout', '8'])
    expect([stopped.code, stopped.stderr]).toEqual([0, ''])
  } finally {
    parent.kill('SIGKILL')
  }
})
