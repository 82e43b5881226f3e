import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, type Running, type Sandbox, sandbox, serve } from './harness.js'

/** A pair of the file: name, alpha, beta, and lines of its own. */
type PairText = readonly [name: string, alpha: string, beta: string, ...more: string[]]

function configure(box: Sandbox, pairs: readonly PairText[], ...rest: string[]): string {
  const tables = pairs.map(
    ([name, alpha, beta, ...more]) =>
      `[[pair]]\nname = "${name}"\nalpha = "${alpha}"\nbeta = "${beta}"\n${more.join('\n')}\n`,
  )
  box.write('tandem.toml', [...tables, ...rest].join('\n'), { mode: 0o600 })
  return 'tandem.toml'
}

function run(box: Sandbox): Running {
  return box.start(['run', '--config', 'tandem.toml'])
}

async function current(agent: Running, pair: string): Promise<void> {
  await agent.until(
    () => agent.events().some((one) => one.event === 'pair-current' && one.pair === pair),
    `${pair} in sync`,
  )
}

test('every pair of the file is kept equal, and every signal ends it with 0', async () => {
  const box = sandbox()
  box.write('a1/f', 'one')
  box.write('a2/g', 'two')
  box.write('a2/left.out', 'x')
  configure(box, [
    ['one', 'a1', 'b1'],
    ['two', 'a2', 'b2', 'ignore = ["Name *.out"]'],
  ])
  for (const signal of ['SIGUSR2', 'SIGTERM', 'SIGINT'] as const) {
    const agent = run(box)
    await current(agent, 'one')
    await current(agent, 'two')
    box.write(`b1/${signal}`, signal)
    box.write(`b2/${signal}`, signal)
    await agent.until(() => box.exists(`a1/${signal}`) && box.exists(`a2/${signal}`), 'both edits')
    agent.signal(signal)
    expect(await agent.ended).toMatchObject({ code: 0, signal: null })
  }
  expect(box.exists('b2/left.out')).toBe(false)
})

test('pairs that fail do not disturb the others, and go on when they can', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('held-a/f', 'x')
  box.write('file', 'no directory')
  box.write('c/f', 'x')
  const serving = await serve(box, { other: 'o' })
  await serving.process.kill()
  const holder = box.start(['watch', 'held-a', 'held-b'])
  await holder.event('pair-current')
  configure(box, [
    ['dead-peer', 'a', serving.url('other'), 'secret_file = "lead.key"'],
    ['held', 'held-a', 'held-b'],
    ['no-directory', 'a', 'file'],
    ['nested', 'a', 'a/inner'],
    ['good', 'c', 'd'],
  ])
  // The other agent has the control socket of that state directory.
  const agent = box.start(['run', '--config', 'tandem.toml', '--state-dir', box.at('run-state')])
  await current(agent, 'good')
  const halted = (pair: string) => agent.events().filter((one) => one.event === 'pair-halted' && one.pair === pair)
  await agent.until(() => ['no-directory', 'nested'].every((pair) => halted(pair).length > 0), 'the halted pairs')
  await agent.event('link-lost')
  expect(halted('nested')[0]).toMatchObject({ code: 'nested-roots', detail: expect.stringMatching(/inside the other/) })
  box.write('c/g', 'y')
  await agent.until(() => box.exists('d/g'), 'g on d')

  // What was in the way goes out of it.
  renameSync(box.at('file'), box.at('file.old'))
  await current(agent, 'no-directory')
  expect(box.read('file/f')).toBe('x')
  mkdirSync(box.at('o'), { recursive: true })
  expect(halted('nested')).toHaveLength(1)
  agent.signal('SIGTERM')
  expect((await agent.ended).code).toBe(0)
})

test('a pair that another process holds is told, and taken when it is free', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  const holder = box.start(['watch', 'a', 'b'])
  await holder.event('pair-current')
  await holder.until(() => box.exists('state/control.sock'), 'its control socket')
  configure(box, [['held', 'a', 'b']])
  // Not the agent of the state directory: that one is at work.
  const refused = await box.tandem(['run', '--config', 'tandem.toml'])
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/another agent is at work.*state/) })
  rmSync(box.at('state/control.sock'))
  const agent = run(box)
  expect(await agent.event('pair-halted')).toMatchObject({ pair: 'held', code: 'pair-busy' })
  holder.signal('SIGTERM')
  await holder.ended
  await current(agent, 'held')
  await agent.event('pair-resumed')
  box.write('a/g', 'y')
  await agent.until(() => box.exists('b/g'), 'g on b')
})

test('SIGHUP: what is new starts, what is gone stops, what changed is started again, the rest goes on', async () => {
  const box = sandbox()
  for (const name of ['same', 'gone', 'changed', 'fresh']) box.write(`${name}-a/f`, name)
  configure(box, [
    ['same', 'same-a', 'same-b'],
    ['gone', 'gone-a', 'gone-b'],
    ['changed', 'changed-a', 'changed-b'],
  ])
  const agent = run(box)
  for (const name of ['same', 'gone', 'changed']) await current(agent, name)
  configure(box, [
    ['fresh', 'fresh-a', 'fresh-b'],
    ['same', 'same-a', 'same-b'],
    ['changed', 'changed-a', 'changed-b', 'ignore = ["Name *.out"]'],
  ])
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-reread')).toMatchObject({
    started: ['fresh'],
    stopped: ['gone'],
    restarted: ['changed'],
  })
  await current(agent, 'fresh')
  await agent.until(
    () => agent.events().filter((one) => one.event === 'pair-current' && one.pair === 'changed').length === 2,
    'changed again',
  )
  box.write('changed-a/x.out', 'left out')
  box.write('gone-a/g', 'stays here')
  for (const name of ['same', 'changed', 'fresh']) {
    box.write(`${name}-b/g`, 'y')
    await agent.until(() => box.exists(`${name}-a/g`), `${name}/g`)
  }
  expect([box.exists('changed-b/x.out'), box.exists('gone-b/g')]).toEqual([false, false])
  expect(agent.events().filter((one) => one.event === 'pair-opened' && one.pair === 'same')).toHaveLength(1)
  // What was given up is free for another process.
  expect((await box.tandem(['sync', 'gone-a', 'gone-b'])).code).toBe(0)
})

test('SIGHUP with a broken or unsafe file changes nothing and says so', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  configure(box, [['one', 'a', 'b']])
  const agent = run(box)
  await current(agent, 'one')
  configure(box, [['one', 'a', 'b', 'colour = "red"']])
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-refused')).toMatchObject({
    code: 'bad-config',
    detail: expect.stringMatching(/tandem\.toml:5: unknown key 'colour'/),
  })
  configure(box, [['two', 'a', 'b']])
  chmodSync(box.at('tandem.toml'), 0o644)
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-refused', 1)).toMatchObject({ code: 'unsafe-file' })
  box.write('b/g', 'y')
  await agent.until(() => box.exists('a/g'), 'g on a')
  expect(agent.events().filter(({ event }) => event === 'pair-opened')).toHaveLength(1)
})

test('served roots come and go with SIGHUP, and peers that may not use them any more are sent away', async () => {
  const box = sandbox()
  for (const name of ['one', 'two']) {
    box.write(`${name}/f`, name)
    await box.tandem(['keygen', name, '--out', box.at(`${name}.key`)])
  }
  const peer = (name: string) => `[[peers]]\nname = "${name}"\nkey_file = "${name}.key"\nroots = ["${name}"]\n`
  const served = (name: string) => `[[serve]]\nname = "${name}"\npath = "${name}"\n`
  const listen = '[listen]\naddress = "127.0.0.1:0"\n'
  configure(box, [['local', 'a', 'b']], listen, served('one'), served('two'), peer('one'), peer('two'))
  mkdirSync(box.at('a'))
  const agent = run(box)
  const address = String((await agent.event('listening')).address)
  const lead = (name: string) =>
    box.start(['watch', `${name}-copy`, `wss://${address}/${name}`, '--secret-file', `${name}.key`], {
      state: box.at(`${name}-state`),
    })
  const [first, second] = [lead('one'), lead('two')]
  await first.event('pair-current')
  await second.event('pair-current')
  configure(box, [['local', 'a', 'b']], listen, served('two'), peer('two'))
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-reread')).toMatchObject({ started: [], stopped: ['one'], restarted: [] })
  await first.event('link-lost')
  box.write('two/g', 'y')
  await second.until(() => box.exists('two-copy/g'), 'g from two')
  expect(second.events().some(({ event }) => event === 'link-lost')).toBe(false)

  // Back again, on the same port.
  configure(box, [['local', 'a', 'b']], listen, served('one'), served('two'), peer('one'), peer('two'))
  agent.signal('SIGHUP')
  expect(await agent.event('configuration-reread', 1)).toMatchObject({ started: ['one'] })
  box.write('one/g', 'y')
  await first.until(() => box.exists('one-copy/g'), 'g from one')
  expect(agent.events().filter(({ event }) => event === 'listening')).toHaveLength(1)
})

test('the listener moves with SIGHUP; where it cannot go, it stays where it is', async ({ skip }) => {
  if (process.platform !== 'linux') skip('needs more than one loopback address')
  const box = sandbox()
  mkdirSync(box.at('o'))
  await box.tandem(['keygen', 'lead', '--out', box.at('lead.key')])
  const follow = (address: string, ...pairs: PairText[]) =>
    configure(
      box,
      pairs,
      `[listen]\naddress = "${address}"\n[[serve]]\nname = "o"\npath = "o"\n[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = ["o"]\n`,
    )
  const ask = (address: string) =>
    box.tandem(['sync', 'copy', `wss://${address}/o`, '--secret-file', 'lead.key', '--state-dir', 'lead-state'])
  follow('127.0.0.1:0')
  const agent = run(box)
  const first = String((await agent.event('listening')).address)
  const port = first.split(':')[1]
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(Number(port), '127.0.0.3', resolve))
  try {
    follow(`127.0.0.2:${port}`)
    agent.signal('SIGHUP')
    await agent.event('configuration-reread')
    expect((await ask(first)).code).toBe(3)
    rmSync(box.at('copy'), { recursive: true, force: true })
    expect((await ask(`127.0.0.2:${port}`)).code).toBe(0)
    // A pair that is new in a file that cannot be followed does not start either.
    mkdirSync(box.at('a'))
    follow(`127.0.0.3:${port}`, ['new', 'a', 'b'])
    agent.signal('SIGHUP')
    expect(await agent.event('configuration-refused')).toMatchObject({ code: 'port-in-use' })
    box.write('o/f', 'still served')
    expect((await ask(`127.0.0.2:${port}`)).code).toBe(0)
    expect(box.read('copy/f')).toBe('still served')
    expect(box.exists('b')).toBe(false)
  } finally {
    taken.close()
  }
})

test('a port that is taken holds up nothing: it is told, and listened at once it is free', {
  timeout: 60_000,
}, async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('o/f', 'served')
  await box.tandem(['keygen', 'lead', '--out', box.at('lead.key')])
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const bound = taken.address()
  const address = `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`
  configure(
    box,
    [['local', 'a', 'b']],
    `[listen]\naddress = "${address}"\nsocket = "no/such/place"\n[[serve]]\nname = "o"\npath = "o"\n[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = ["o"]\n`,
  )
  const agent = run(box)
  try {
    await agent.event('pair-current')
    expect(box.read('b/f')).toBe('x')
    expect(await agent.event('listening-failed')).toMatchObject({ address, code: 'port-in-use', level: 'warn' })
    expect(await agent.event('listening-failed', 1)).toMatchObject({ address: expect.stringMatching(/^socket:/) })
    const told = await box.tandem(['status'])
    expect(told).toMatchObject({ code: 2, stdout: expect.stringContaining(`cannot listen on ${address}: `) })
    expect(JSON.parse((await box.tandem(['status', '--json'])).stdout)).toMatchObject({
      agent: { addresses: [], notListening: [{ address, code: 'port-in-use' }, { code: 'unreachable' }] },
    })
    // What is read again meanwhile is followed, and says nothing new of the port.
    agent.signal('SIGHUP')
    await agent.event('configuration-reread')
  } finally {
    taken.close()
  }
  expect(await agent.event('listening')).toMatchObject({ address })
  const ask = ['sync', 'copy', `wss://${address}/o`, '--secret-file', 'lead.key', '--state-dir', 'lead-state']
  expect((await box.tandem(ask)).code).toBe(0)
  expect(agent.events().filter(({ event }) => event === 'listening-failed')).toHaveLength(2)
  expect((await box.tandem(['stop'])).code).toBe(0)
})

test('a name to listen at that is not known, and a root that cannot be served, hold up no pair and no other root', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('o/f', 'served')
  await box.tandem(['keygen', 'lead', '--out', box.at('lead.key')])
  configure(
    box,
    [['local', 'a', 'b']],
    `[listen]\naddress = ["no-such-host.invalid:4300", "127.0.0.1:0"]\n[[serve]]\nname = "o"\npath = "o"\n[[serve]]\nname = "all"\npath = "."\n[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = ["o", "all"]\n`,
  )
  const agent = run(box)
  await agent.event('pair-current')
  const { address } = await agent.event('listening')
  expect(await agent.event('root-refused')).toMatchObject({ root: 'all', code: 'state-inside', level: 'error' })
  expect(await agent.event('listening-failed')).toMatchObject({ address: 'no-such-host.invalid:4300' })
  const ask = (root: string) =>
    box.tandem(['sync', 'copy', `wss://${address}/${root}`, '--secret-file', 'lead.key', '--state-dir', 'lead-state'])
  expect((await ask('o')).code).toBe(0)
  expect(await ask('all')).toMatchObject({ code: 3, stderr: expect.stringMatching(/no root/) })
  const told = await box.tandem(['status'])
  expect(told).toMatchObject({
    code: 2,
    stdout: expect.stringMatching(/not serving all: the state directory .*state-inside/),
  })
  // Read again, it is still refused, and the rest goes on.
  agent.signal('SIGHUP')
  await agent.event('configuration-reread')
  expect(agent.events().filter(({ event }) => event === 'root-refused')).toHaveLength(1)
})

test('serve takes the same file, leaves its pairs alone, and needs something to serve', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('o/f', 'x')
  await box.tandem(['keygen', 'lead', '--out', box.at('lead.key')])
  configure(
    box,
    [['local', 'a', 'b']],
    '[listen]\naddress = "127.0.0.1:0"\n[[serve]]\nname = "o"\npath = "o"\n[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = ["o"]\n',
  )
  const serving = box.start(['serve', '--config', 'tandem.toml'])
  const { address } = await serving.event('listening')
  const end = await box.tandem(['sync', 'copy', `wss://${address}/o`, '--secret-file', 'lead.key'], {
    state: box.at('lead-state'),
  })
  expect(end.code).toBe(0)
  expect(box.exists('b')).toBe(false)
  serving.signal('SIGTERM')
  expect((await serving.ended).code).toBe(0)
  configure(box, [['local', 'a', 'b']])
  expect(await box.tandem(['serve', '--config', 'tandem.toml'])).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/serve is missing/),
  })
})

test('a killed agent is started again and takes up every pair', async () => {
  const box = sandbox()
  for (let at = 0; at < 200; at++) box.write(`a1/${at}`, `${at}`.repeat(100))
  box.write('a2/f', 'x')
  writeFileSync(box.at('log'), '')
  configure(
    box,
    [
      ['one', 'a1', 'b1'],
      ['two', 'a2', 'b2'],
    ],
    `[preferences]\nlogfile = "${box.at('log')}"\n`,
  )
  const first = run(box)
  await first.until(() => box.exists('b1/5'), 'some of it')
  await first.kill()
  box.write('b2/g', 'y')
  run(box)
  await eventuallyEqual(box.at('a1'), box.at('b1'))
  await eventuallyEqual(box.at('a2'), box.at('b2'), () => box.exists('a2/g'))
  await eventually(
    () => box.read('log').includes('"pair":"two"'),
    () => box.read('log'),
  )
})
