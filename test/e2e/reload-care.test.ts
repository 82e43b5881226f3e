import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Running, sandbox } from './harness.js'

async function currents(agent: Running, count: number): Promise<void> {
  await agent.until(
    () => agent.events().filter((one) => one.event === 'pair-current').length >= count,
    `${count} times current`,
  )
}

test('SIGHUP: keep, as changed in the file, holds for a pair that was started again', async () => {
  const box = sandbox()
  for (const name of ['f', 'g']) box.write(`a/${name}`, 'v1')
  const configure = (keep: string) =>
    box.write('tandem.toml', `[[pair]]\nname = "one"\nalpha = "a"\nbeta = "b"\nkeep = "${keep}"\n`, { mode: 0o600 })
  configure('0')
  const agent = box.start(['run', '--config', 'tandem.toml'])
  await currents(agent, 1)
  configure('30d')
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-reread')).toMatchObject({ restarted: ['one'] })
  await currents(agent, 2)
  box.write('a/f', 'version two')
  await agent.until(() => box.read('b/f') === 'version two', 'v2 on b')
  await agent.until(
    () => box.exists('b/.tandem/versions') && readdirSync(box.at('b/.tandem/versions')).length > 0,
    'a kept version',
  )
})

test('SIGHUP: maxdelete, as changed in the file, holds for a pair that was started again', async () => {
  const box = sandbox()
  box.write('a/f', 'v1')
  const configure = (more: string) =>
    box.write('tandem.toml', `[[pair]]\nname = "one"\nalpha = "a"\nbeta = "b"\n${more}\n`, { mode: 0o600 })
  configure('maxdelete = "90%"')
  const agent = box.start(['run', '--config', 'tandem.toml'])
  await currents(agent, 1)
  for (let i = 0; i < 10; i++) box.write(`a/x${i}`, 'x')
  await agent.until(() => box.exists('b/x9'), 'x9')
  configure('maxdelete = 3')
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-reread')).toMatchObject({ restarted: ['one'] })
  await currents(agent, 2)
  const { rmSync } = await import('node:fs')
  for (let i = 0; i < 10; i++) rmSync(box.at(`a/x${i}`))
  await agent.until(() => agent.events().some((e) => e.event === 'problem-found' && e.code === 'held'), 'held removals')
})
