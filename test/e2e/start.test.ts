import { mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, type Running, type Sandbox, sandbox } from './harness.js'

const starter = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url))
const demonstration = new URL('../../dist/cli/demonstration.js', import.meta.url).href
const processMain = new URL('../../dist/cli/main.js', import.meta.url).href

/** The demonstration as npm start runs it, but in the sandbox. */
function demonstrate(box: Sandbox): Running {
  const script = `
    const { demonstrate } = await import(${JSON.stringify(demonstration)})
    const { runProcess, telling } = await import(${JSON.stringify(processMain)})
    await runProcess(() => telling(() => demonstrate(process.cwd())))`
  return box.startProcess(process.execPath, ['--input-type=module', '-e', script])
}

test('the demonstration keeps two trees equal, prints both paths and each change as it travels', async () => {
  const box = sandbox()
  const demo = demonstrate(box)
  await demo.said(box.at('demo/alpha'))
  await demo.said(box.at('demo/beta'))
  await eventuallyEqual(box.at('demo/alpha'), box.at('demo/beta'), () => box.exists('demo/beta/README.txt'))
  await demo.said(/---> created +README\.txt/)
  await demo.said(/<--- created +letters\/reply\.txt/)
  box.write('demo/beta/mine.txt', 'mine\n')
  await demo.said(/<--- created +mine\.txt/)
  expect(box.read('demo/alpha/mine.txt')).toBe('mine\n')

  // A second one leaves the first alone.
  const second = await demonstrate(box).ended
  expect(second.code).toBe(3)
  expect(second.stderr).toContain(`process ${demo.pid}`)
  box.write('demo/alpha/more.txt', 'more\n')
  await demo.said(/---> created +more\.txt/)

  demo.signal('SIGUSR2')
  expect((await demo.ended).code).toBe(0)
  // And it can be started again, with what changed meanwhile.
  box.write('demo/alpha/later.txt', 'later\n')
  const again = demonstrate(box)
  await again.said(/---> created +later\.txt/)
})

test('npm start with two roots prints the pid of the agent, which signals reach', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  mkdirSync(box.at('b'))
  const agent = box.startProcess(process.execPath, [starter, 'a', 'b'])
  await agent.said(`pid ${agent.pid}\n`)
  await eventually(
    () => box.exists('b/f'),
    () => agent.stderr,
  )
  await agent.event('pair-current')
  agent.signal('SIGUSR2')
  expect(await agent.ended).toMatchObject({ code: 0, signal: null })
})

test.each(['cli', 'agent/disk-worker', 'host/node/watch-worker'])('%s is loaded as one file', (entry) => {
  const text = readFileSync(new URL(`../../dist/${entry}.js`, import.meta.url), 'utf8')
  expect(text).not.toMatch(/^(import|export) .*from ["']\./m)
  // Native packages are loaded when they are needed: a wrong command line is answered without them.
  expect(text).not.toMatch(/^import .*["'](koffi|lmdb|pino|@parcel\/watcher)["']/m)
})
