import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, sandbox, serve } from './harness.js'

test('doctor tells versions, limits, roots and the state directory, and no secret', async () => {
  const box = sandbox()
  box.write('a/f', 'text')
  const serving = await serve(box, { photos: 'b' })
  const url = serving.url('photos')
  box.start(['watch', 'a', url, '--secret-file', serving.keyFile])
  await eventually(
    () => box.exists('b/f'),
    () => 'the file on b',
  )
  const { code, stdout, stderr } = await box.tandem(['doctor', '--config', 'serve.toml'])
  expect(stderr).toBe('')
  expect([0, 1]).toContain(code)
  expect(stdout).toMatch(/^tandem \d+\.\d+\.\d+, Node \d+/)
  for (const known of [box.at('state'), `root ${box.at('a')}`, `root ${box.at('b')}`, url, 'free on'])
    expect(stdout).toContain(known)
  const secret = /[0-9a-f]{64}|[A-Za-z0-9+/_-]{43}=?/.exec(readFileSync(serving.keyFile, 'utf8'))?.[0] ?? ''
  expect(secret.length).toBeGreaterThan(40)
  expect(stdout).not.toContain(secret)
})

test('S2-15: what is asked of a root is told where it is weaker, by the file or by that of the agent', async () => {
  const box = sandbox()
  box.write('a/f', 'text')
  const pair = '[[pair]]\nname = "p"\nalpha = "a"\nbeta = "b"\ndurability = "process"\n'
  box.write('tandem.toml', pair, { mode: 0o600 })
  const agent = box.start(['run', '--config', 'tandem.toml'])
  await agent.event('pair-current')
  for (const given of [['--config', 'tandem.toml'], []]) {
    const { code, stdout } = await box.tandem(['doctor', ...given, box.at('.')])
    expect(code).toBe(1)
    const roots = stdout.split(/^root /m).slice(1)
    const weak = roots.filter((text) => text.includes('! durability is "process"')).map((text) => text.split('\n')[0])
    expect(weak.sort()).toEqual([box.at('a'), box.at('b')])
    expect(roots).toHaveLength(3)
  }
})

test('what cannot be looked at is told, and the rest is looked at', async () => {
  const box = sandbox()
  writeFileSync(box.at('file'), 'no directory')
  const { code, stdout } = await box.tandem(['doctor', 'file', 'file/below', 'nowhere', '.'])
  expect(code).toBe(1)
  // A file may be a root; its private folder lies beside it.
  expect(stdout).toMatch(/root .*\/file\n {2}[^!]/)
  expect(stdout).toMatch(/root .*\/file\/below\n {2}! .*ENOTDIR/)
  expect(stdout).toMatch(/root .*\/nowhere\n {2}! .*ENOENT/)
  expect(stdout).toContain(`root ${box.path}\n  `)
})
