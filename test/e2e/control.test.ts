import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  asked,
  eventually,
  placeForOthers,
  plainUser,
  program,
  type Running,
  type Sandbox,
  sandbox,
  serve,
} from './harness.js'

/** Two pairs under `tandem run`, in sync. */
async function running(): Promise<{ box: Sandbox; agent: Running }> {
  const box = sandbox()
  box.write('a1/f', 'one')
  box.write('a2/f', 'two')
  const pair = (at: number) => `[[pair]]\nname = "p${at}"\nalpha = "a${at}"\nbeta = "b${at}"\n`
  box.write('tandem.toml', `${pair(1)}\n${pair(2)}`, { mode: 0o600 })
  const agent = box.start(['run', '--config', 'tandem.toml'])
  await agent.event('pair-current', 1)
  return { box, agent }
}

/** The bare protocol: status and text of the answer. */
function ask(
  socketPath: string,
  method: string,
  path: string,
  body = '',
): Promise<{ status: number; answer: unknown }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, answer: JSON.parse(text) }))
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

test('status: in sync, in conflict, paused, stopped', async () => {
  const { box, agent } = await running()
  expect(lstatSync(box.at('state/control.sock')).mode & 0o777).toBe(0o600)
  const calm = await asked(box, ['status'], ({ code }) => code === 0)
  expect(calm.stdout).toMatch(/^p1 {2}watching {6}scanned .* ago\np2 {2}watching {6}scanned .* ago\n$/)

  await box.tandem(['pause', 'p1'])
  box.write('a1/f', 'from a')
  box.write('b1/f', 'from b, longer')
  box.write('a2/g', 'goes on')
  await agent.until(() => box.exists('b2/g'), 'g on b2')
  const paused = await asked(box, ['status', '--json'], ({ code }) => code === 3)
  expect(JSON.parse(paused.stdout)).toMatchObject({
    version: 1,
    agent: { pid: agent.pid, command: 'run', listening: null },
    pairs: [
      { name: 'p1', alpha: box.at('a1'), beta: box.at('b1'), state: 'paused', code: null, conflicts: 0 },
      { name: 'p2', state: 'watching', conflicts: 0, problems: 0 },
    ],
    served: [],
  })
  expect(box.read('b1/f')).toBe('from b, longer')

  expect(await box.tandem(['resume'])).toMatchObject({ code: 0, stdout: 'p1: going on\np2: going on\n' })
  await agent.event('conflict-found')
  const attention = await asked(box, ['status'], ({ code }) => code === 2)
  expect(attention.stdout).toMatch(/^p1 .*; 1 conflict|^p1 +watching +1 conflict; /m)
  const listed = await box.tandem(['conflicts', 'p1'])
  expect(listed.code).toBe(1)
  expect(listed.stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')).toBe(
    `p1  conflict    f\n    ${box.at('a1')} : changed (6 bytes, TIME)\n    ${box.at('b1')} : changed (14 bytes, TIME)\n`,
  )
  expect(JSON.parse((await box.tandem(['conflicts', '--json'])).stdout)).toMatchObject({
    version: 1,
    pairs: [
      {
        name: 'p1',
        open: [
          {
            path: 'f',
            why: 'conflict',
            alpha: { change: 'changed', kind: 'file', sizeBytes: 6, mtimeNs: expect.stringMatching(/^\d{19}$/) },
            beta: { change: 'changed', kind: 'file', sizeBytes: 14 },
          },
        ],
      },
      { name: 'p2', open: [] },
    ],
  })
  expect((await box.tandem(['conflicts', 'p2'])).code).toBe(0)

  expect(await box.tandem(['stop'])).toMatchObject({ code: 0, stderr: '' })
  // It waited for the end.
  expect(existsSync(`/proc/${agent.pid}`) && process.platform === 'linux').toBe(false)
  expect(await agent.ended).toMatchObject({ code: 0, signal: null })
  expect(existsSync(box.at('state/control.sock'))).toBe(false)
  expect(await box.tandem(['status'])).toMatchObject({ code: 4, stderr: expect.stringMatching(/no agent is at work/) })
})

test('flush: what was written before is on the other side when it answers, whatever stays open is named', async () => {
  const { box } = await running()
  for (let round = 0; round < 5; round++) {
    for (let at = 0; at < 40; at++) box.write(`a1/many/${round}/${at}`, `${round} ${at}`)
    box.write(`b2/${round}`, 'other way')
    expect(await box.tandem(['flush'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
    for (let at = 0; at < 40; at++) expect(box.read(`b1/many/${round}/${at}`)).toBe(`${round} ${at}`)
    expect(box.read(`a2/${round}`)).toBe('other way')
  }
  await box.tandem(['pause', 'p1'])
  expect(await box.tandem(['flush', 'p1'])).toMatchObject({ code: 3, stderr: expect.stringMatching(/p1: .*paused/) })
  box.write('a1/f', 'from a')
  box.write('b1/f', 'from b, longer')
  box.write('a1/g', 'travels')
  await box.tandem(['resume', 'p1'])
  const open = await box.tandem(['flush', 'p1', '--json'])
  expect(open.code).toBe(1)
  expect(JSON.parse(open.stdout)).toMatchObject({
    version: 1,
    pairs: [{ name: 'p1', open: [{ path: 'f', why: 'conflict' }] }],
  })
  expect(box.read('b1/g')).toBe('travels')
  expect(await box.tandem(['rescan', 'p2'])).toMatchObject({ code: 0, stdout: 'p2: looked at\n' })
})

test('flush looks at what changed, not at all there is, and takes a file that is being written as it is', {
  skip: process.platform !== 'linux',
}, async () => {
  const box = sandbox()
  for (let at = 0; at < 200; at++) box.write(`a/d${at % 20}/${at}`, 'x')
  mkdirSync(box.at('b'))
  const serving = await serve(box, { photos: 'b' })
  const lead = box.start(['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile])
  await lead.event('pair-current')
  const scans = () =>
    [lead, serving.process].flatMap((one) => one.events().filter(({ event }) => event === 'scan-started'))
  expect((await box.tandem(['flush'])).code).toBe(0)
  const before = scans().length
  const log = openSync(box.at('a/log'), 'w')
  for (let round = 1; round <= 3; round++) {
    writeSync(log, 'a line\n')
    box.write('a/d7/7', `${round}`)
    box.write(`b/d8/${round}`, 'other way')
    expect(await box.tandem(['flush'])).toMatchObject({ code: 0, stdout: '' })
    expect(box.read('b/log')).toBe('a line\n'.repeat(round))
    expect(box.read('b/d7/7')).toBe(`${round}`)
    expect(box.read(`a/d8/${round}`)).toBe('other way')
  }
  closeSync(log)
  expect(scans().length).toBe(before)
})

test('a link that is away is waited for by flush, as long as it may take', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  mkdirSync(box.at('b'))
  const serving = await serve(box, { photos: 'b' })
  const lead = box.start(['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile])
  await lead.event('pair-current')
  await asked(box, ['status'], ({ code }) => code === 0)
  expect(await box.tandem(['status', '--state-dir', 'serving-state'])).toMatchObject({
    code: 0,
    stdout: `serving photos on ${serving.address}, used by lead\n`,
  })
  await serving.process.kill()
  await lead.event('link-lost')
  box.write('a/g', 'y')
  const away = await box.tandem(['flush', '--timeout', '0.3'])
  expect(away.code).toBe(3)
  expect(await asked(box, ['status'], ({ stdout }) => stdout.includes('disconnected'))).toMatchObject({ code: 2 })
  const flushing = box.tandem(['flush'])
  await serve(box, { photos: 'b' }, Number(serving.address.split(':')[1]))
  expect((await flushing).code).toBe(0)
  expect(box.read('b/g')).toBe('y')
})

test('a pair that is halted says why', async () => {
  const { box } = await running()
  renameSync(box.at('b1'), box.at('b1.away'))
  box.write('a1/g', 'y')
  await box.tandem(['rescan', 'p1'])
  const halted = await asked(box, ['status', '--json'], ({ stdout }) => stdout.includes('halted'))
  expect(halted.code).toBe(2)
  expect(JSON.parse(halted.stdout)).toMatchObject({
    pairs: [
      { name: 'p1', state: 'halted', code: expect.any(String), detail: expect.stringContaining(box.at('b1')) },
      {},
    ],
  })
  expect(await box.tandem(['flush', 'p1'])).toMatchObject({ code: 3, stderr: expect.stringContaining('p1') })
  renameSync(box.at('b1.away'), box.at('b1'))
  await asked(box, ['status'], ({ code }) => code === 0)
  expect(box.read('b1/g')).toBe('y')
})

/** A namespace with room for six watches. */
const fewWatches = [
  'unshare',
  '-Ur',
  'sh',
  '-ec',
  'echo 6 > /proc/sys/user/max_inotify_watches; exec "$@"',
  'sh',
] as const
const cannotLimit = spawnSync(fewWatches[0], [...fewWatches.slice(1), 'true']).status !== 0

test.skipIf(cannotLimit)(
  'status says which roots cannot be watched whole, and what helps (needs unshare)',
  async () => {
    const box = sandbox()
    for (const name of ['c', 'd', 'e', 'f', 'g', 'h']) box.write(`a/${name}/deep/file`, name)
    box.write('t.toml', '[[pair]]\nname = "one"\nalpha = "a"\nbeta = "b"\n', { mode: 0o600 })
    const [command, ...more] = fewWatches
    const agent = box.startProcess(command, [...more, process.execPath, program, 'run', '--config', 't.toml'])
    await agent.event('pair-current')
    await agent.event('watch-degraded')
    const told = await box.tandem(['status'])
    expect(told).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\/a is looked at .*: .*sudo sysctl -w fs\.inotify/),
    })
    const json: unknown = JSON.parse((await box.tandem(['status', '--json'])).stdout)
    const part = { root: box.at('a'), subtrees: expect.any(Number), detail: expect.stringMatching(/sysctl/) }
    expect(json).toMatchObject({ pairs: [{ unwatched: expect.arrayContaining([expect.objectContaining(part)]) }] })
    // What is not watched travels all the same.
    box.write('a/h/deep/file', 'edited')
    await agent.until(() => box.read('b/h/deep/file') === 'edited', 'the edit')
  },
)

test('the socket of a dead process is replaced, that of a live one respected', async () => {
  const { box, agent } = await running()
  await agent.kill()
  expect(existsSync(box.at('state/control.sock'))).toBe(true)
  expect((await box.tandem(['status'])).code).toBe(4)
  box.write('x/f', 'x')
  const first = box.start(['watch', 'x', 'y'])
  await first.event('pair-current')
  expect((await box.tandem(['status', '--json'])).stdout).toContain(`"pid":${first.pid}`)
  // Another pair of the same state directory does its work without a socket of its own.
  box.write('v/f', 'x')
  const second = box.start(['watch', 'v', 'w'])
  await second.event('pair-current')
  expect(await second.event('control-refused')).toMatchObject({ code: 'control-busy' })
  expect((await box.tandem(['status', '--json'])).stdout).toContain(`"pid":${first.pid}`)
  // Stopped so it ends as it would have by itself.
  expect((await box.tandem(['stop'])).code).toBe(0)
  expect(await first.ended).toMatchObject({ code: 0, signal: null })
})

test('requests that are none are refused, and the agent goes on', async () => {
  const { box, agent } = await running()
  const socket = box.at('state/control.sock')
  const rows: [string, string, string, number, string][] = [
    // method   path                  body                        status  code
    ['GET', '/', '', 404, 'unknown-path'],
    ['GET', '/v1/__proto__', '', 404, 'unknown-path'],
    ['GET', '/v1/stop', '', 405, 'unknown-method'],
    ['POST', '/v1/status', '', 405, 'unknown-method'],
    ['POST', '/v1/pause', '{"pair":"p3"}', 404, 'unknown-pair'],
    ['POST', '/v1/pause', '{"pair":7}', 400, 'bad-request'],
    ['POST', '/v1/pause', '{"all":true}', 400, 'bad-request'],
    ['POST', '/v1/pause', '[]', 400, 'bad-request'],
    ['POST', '/v1/pause', '{', 400, 'bad-request'],
    ['POST', '/v1/flush', '{"timeoutSeconds":-1}', 400, 'bad-request'],
    ['POST', '/v1/flush', '{"timeoutSeconds":1e9}', 400, 'bad-request'],
    ['POST', '/v1/pause', ' '.repeat(70_000), 413, 'too-large'],
  ]
  for (const [method, path, body, status, code] of rows)
    expect(await ask(socket, method, path, body), `${method} ${path} ${body.slice(0, 40)}`).toMatchObject({
      status,
      answer: { version: 1, error: { code } },
    })
  expect(await box.tandem(['flush', 'p3'])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/did you mean 'p[12]'/),
  })
  expect(agent.events().some(({ event }) => event === 'pair-paused')).toBe(false)
  expect((await box.tandem(['flush'])).code).toBe(0)
})

test('a state directory with a long name has a control socket too', {
  skip: process.platform !== 'linux',
}, async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  const state = box.at('s'.repeat(100), 't'.repeat(100))
  const agent = box.start(['watch', 'a', 'b'], { state })
  await agent.event('pair-current')
  expect((await box.tandem(['flush'], { state })).code).toBe(0)
  expect((await box.tandem(['stop'], { state })).code).toBe(0)
  expect(existsSync(join(state, 'control.sock'))).toBe(false)
})

test('an answer of another version, or none at all, is told', async () => {
  const box = sandbox()
  mkdirSync(box.at('state'))
  const other = createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"version":2}'))
  })
  await new Promise<void>((resolve) => other.listen(box.at('state/control.sock'), resolve))
  try {
    expect(await box.tandem(['status'])).toMatchObject({ code: 3, stderr: expect.stringMatching(/another version/) })
  } finally {
    await new Promise((resolve) => other.close(resolve))
  }
  symlinkSync('/nowhere', box.at('state/control.sock'))
  expect((await box.tandem(['status'])).code).toBe(4)
})

test.skipIf(process.getuid?.() !== 0 || placeForOthers === undefined)(
  "another user's agent is not for us (needs root, and a place that others can reach)",
  async () => {
    const box = sandbox(placeForOthers)
    box.write('a/f', 'x')
    chmodSync(box.path, 0o755)
    const agent = box.start(['watch', 'a', 'b'])
    await agent.event('pair-current')
    await eventually(
      () => box.exists('state/control.sock'),
      () => agent.stderr,
    )
    chmodSync(box.at('state'), 0o755)
    expect(await box.tandem(['stop'], plainUser)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/another user's/),
    })
  },
)
