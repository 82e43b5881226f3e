import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { test } from 'vitest'
import { sandbox } from './harness.js'

test('SIGHUP: a pair whose roots could not be one is tried again, though the file says the same', async () => {
  const box = sandbox()
  box.write('a/sub/f', 'x')
  mkdirSync(box.at('b'))
  symlinkSync('a/sub', box.at('link'))
  box.write('tandem.toml', '[[pair]]\nname = "one"\nalpha = "a"\nbeta = "link"\n', { mode: 0o600 })
  const agent = box.start(['run', '--config', 'tandem.toml'])
  await agent.event('pair-halted')
  rmSync(box.at('link'))
  symlinkSync('b', box.at('link'))
  agent.signal('SIGHUP')
  await agent.event('configuration-reread')
  await agent.until(() => box.exists('b/sub/f'), 'f on b')
})
