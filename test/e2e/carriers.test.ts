import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  eventuallyEqual,
  expectEqual,
  giveToPlainUser,
  placeForOthers,
  plainUser,
  program,
  type Sandbox,
  sandbox,
  tree,
} from './harness.js'
import { noSshd, startSshd } from './sshd.js'

/** A serving agent with a configuration of its own words. */
async function serving(box: Sandbox, listen: string, path = 'b') {
  const config = `[listen]\n${listen}\n\n[[serve]]\nname = "music"\npath = "${box.at(path)}"\n`
  writeFileSync(box.at('serve.toml'), config, { mode: 0o600 })
  const process = box.start(['serve', '--config', 'serve.toml'], { state: box.at('serving-state') })
  return { process, address: String((await process.event('listening')).address) }
}

describe('a Unix socket', () => {
  test('carries a pair, for its owner only, and is gone with its agent', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    mkdirSync(box.at('b'))
    const { process } = await serving(box, 'socket = "t.sock"')
    expect(statSync(box.at('t.sock')).mode & 0o777).toBe(0o600)
    const url = `socket://{${box.at('t.sock')}}/music`
    expect((await box.tandem(['sync', 'a', url])).code).toBe(0)
    expectEqual(box.at('a'), box.at('b'))

    const watch = box.start(['watch', 'a', url])
    await watch.event('pair-current')
    box.write('b/g', 'two')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/g'))
    process.signal('SIGTERM')
    expect((await process.ended).code).toBe(0)
    expect(box.exists('t.sock')).toBe(false)
    await watch.event('link-lost')
    // And it goes on when somebody is there again.
    await serving(box, 'socket = "t.sock"')
    box.write('a/h', 'three')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/h'))
  })

  test('the socket of a dead agent is replaced, that of a live one respected', async () => {
    const box = sandbox()
    mkdirSync(box.at('b'))
    const first = await serving(box, 'socket = "t.sock"')
    const second = await box.tandem(['serve', '--config', 'serve.toml'], { state: box.at('other-state') })
    expect(second).toMatchObject({ code: 3, stderr: expect.stringMatching(/t\.sock.*another program/) })
    await first.process.kill()
    expect(box.exists('t.sock')).toBe(true)
    await serving(box, 'socket = "t.sock"')
  })

  test('nobody there is told', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    const end = await box.tandem(['sync', 'a', `socket://{${box.at('t.sock')}}/music`])
    expect(end).toMatchObject({ code: 3, stderr: expect.stringMatching(/t\.sock.*nobody listens/) })
  })

  // Root may run as somebody else; without root there is nobody else to be.
  test.skipIf(plainUser.uid === undefined || placeForOthers === undefined)(
    'another user is refused at either end, whatever the mode of the socket says (needs root)',
    async () => {
      const box = sandbox(placeForOthers)
      box.write('a/f', 'one')
      for (const name of ['b', 'state', 'far']) mkdirSync(box.at(name))
      const { process } = await serving(box, 'socket = "t.sock"')
      giveToPlainUser(box)
      chmodSync(box.path, 0o755)
      chmodSync(box.at('t.sock'), 0o666)
      const url = `socket://{${box.at('t.sock')}}/music`
      const end = await box.tandem(['sync', 'a', url], plainUser)
      // Root is everybody: it is trusted by the other end, but does not serve whoever comes.
      expect(end.code).toBe(3)
      await process.event('peer-refused')
      expect(process.stderr).toMatch(/belongs to user 65534/)
      expect(tree(box.at('b'))).toEqual({ '.': expect.stringMatching(/^dir/) })
    },
  )
})

describe('ws://', () => {
  test('goes inside this machine when both sides allow it', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    mkdirSync(box.at('b'))
    const { address } = await serving(box, 'address = "127.0.0.1:0"\ninsecure = true')
    expect(address).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/)
    const refused = await box.tandem(['sync', 'a', `${address}/music`])
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/not encrypted.*--insecure/) })
    expect((await box.tandem(['sync', '--insecure', 'a', `${address}/music`])).code).toBe(0)
    expectEqual(box.at('a'), box.at('b'))
    // Whoever is on this machine gets what is served, and nothing else.
    const away = await box.tandem(['sync', '--insecure', 'a', `${address}/notes`])
    expect(away).toMatchObject({ code: 3, stderr: expect.stringMatching(/notes/) })
  })

  test.each([
    ['0.0.0.0:0', /insecure: .*loopback/],
    ['nas:4242', /insecure: .*loopback/],
  ])('does not listen at %s', async (address, message) => {
    const box = sandbox()
    mkdirSync(box.at('b'))
    const config = `[listen]\naddress = "${address}"\ninsecure = true\n\n[[serve]]\nname = "music"\npath = "b"\n`
    writeFileSync(box.at('serve.toml'), config, { mode: 0o600 })
    const end = await box.tandem(['serve', '--config', 'serve.toml'])
    expect(end).toMatchObject({ code: 78, stderr: expect.stringMatching(message) })
  })
})

// The ssh that the tests stand in for: a program that runs the command here.
function fakeSsh(box: Sandbox, script: string): string {
  writeFileSync(box.at('ssh.sh'), `#!/bin/sh\nfor command; do :; done\n${script}\n`, { mode: 0o755 })
  return box.at('ssh.sh')
}

describe('ssh://, through a program in the place of ssh', () => {
  const server = (box: Sandbox) => [
    '-sshcmd',
    fakeSsh(box, 'exec /bin/sh -c "$command"'),
    '-servercmd',
    `env TANDEM_STATE_DIR=${box.at('far')} ${process.execPath} ${program}`,
  ]

  test('paths begin at the home directory there, or at the root', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    expect((await box.tandem(['sync', 'a', 'ssh://host/home-b', ...server(box)])).stderr).toBe('')
    expectEqual(box.at('a'), box.at('home-b'))
    const end = await box.tandem(['sync', 'a', `ssh://host/${box.at('b')}`, ...server(box)])
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expectEqual(box.at('a'), box.at('b'))
  })

  test('the serving process ends with its connection', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    const watch = box.start(['watch', 'a', 'ssh://host/b', ...server(box)])
    await watch.event('pair-current')
    box.write('b/g', 'two')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/g'))
    expect(readdirSync(box.at('far', 'roots'))).toHaveLength(1)
    watch.signal('SIGTERM')
    await watch.ended
    // Its lock would hold up another one.
    const again = await box.tandem(['sync', 'a', 'ssh://host/b', ...server(box)])
    expect(again).toMatchObject({ code: 0, stderr: '' })
  })

  test('an agent that runs there is joined, and goes on', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    for (const name of ['b', 'c', 'd']) mkdirSync(box.at(name))
    writeFileSync(box.at('run.toml'), '[[pair]]\nname = "far"\nalpha = "c"\nbeta = "d"\n', { mode: 0o600 })
    const agent = box.start(['run', '--config', 'run.toml'], { state: box.at('far') })
    await agent.event('pair-current')
    const end = await box.tandem(['sync', 'a', 'ssh://host/b', ...server(box)])
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expectEqual(box.at('a'), box.at('b'))
    expect((await agent.event('peer-accepted')).peer).toBe('@user')
    await agent.event('peer-left')
    agent.signal('SIGTERM')
    expect((await agent.ended).code).toBe(0)
    expect(box.exists('far/link.sock')).toBe(false)
  })

  const failing: [string, string, RegExp][] = [
    // what happens                    what ssh does                                                   what is told
    [
      'tandem is not there',
      'exec /bin/sh -c "no-such-tandem serve --stdio"',
      /not found.*what was run is: .*serve --stdio.*install tandem there.*-servercmd/s,
    ],
    [
      'nobody is let in',
      'echo "u@host: Permission denied (publickey)." >&2; exit 255',
      /not let in: .*Permission denied/,
    ],
    [
      'the host is away',
      'echo "ssh: connect to host host port 22: No route to host" >&2; exit 255',
      /No route to host/,
    ],
    ['a shell that talks', 'echo Welcome; sleep 1', /not tandem.*start files/s],
    [
      'tandem fails there',
      'echo "tandem: the disk is gone" >&2; exit 3',
      /ended there with 3: tandem: the disk is gone/,
    ],
  ]
  test.each(failing)('told: %s', async (_, script, message) => {
    const box = sandbox()
    box.write('a/f', 'one')
    const end = await box.tandem(['sync', 'a', 'ssh://host/b', '-sshcmd', fakeSsh(box, script)])
    expect(end.stderr).toMatch(message)
    expect(end.stderr).not.toMatch(/^ {4}at /m)
    expect(end.code).toBe(3)
  })

  test('told: ssh is not installed', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    const end = await box.tandem(['sync', 'a', 'ssh://host/b', '-sshcmd', 'no-such-ssh'])
    expect(end).toMatchObject({ code: 3, stderr: expect.stringMatching(/no-such-ssh is not installed here/) })
  })

  test('a browser that found the way to the standard streams is no link', async () => {
    const box = sandbox()
    const far = box.start(['serve', '--stdio'])
    far.type('GET /tandem HTTP/1.1\r\nHost: tandem\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n')
    far.type('Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
    expect(await far.ended).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/not a request/) })
  })
})

/** The connections of an sshd, each a process of its own. */
function killChildren(pid: number): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  for (const child of children) process.kill(Number(child), 'SIGKILL')
}

describe.skipIf(noSshd !== undefined)(`ssh://, through a real sshd${noSshd === undefined ? '' : `: ${noSshd}`}`, () => {
  test('a pair is kept equal, and outlives its connection', { timeout: 60_000 }, async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    box.write('a/my photos/x', 'a name with a blank')
    const server = await startSshd(box)
    const options = (state: string) => [
      '-sshargs',
      server.args,
      '-servercmd',
      `env TANDEM_STATE_DIR=${box.at(state)} ${process.execPath} ${program}`,
    ]
    const url = `${server.url}/${box.at('b')}`
    const end = await box.tandem(['sync', 'a', url, ...options('far')])
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expectEqual(box.at('a'), box.at('b'))

    const watch = box.start(['watch', 'a', url, ...options('far')])
    await watch.event('pair-current')
    box.write('b/g', 'two')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/g'))
    killChildren(server.process.pid)
    await watch.event('link-lost')
    box.write('a/h', 'three')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/h'))
    watch.signal('SIGUSR2')
    expect((await watch.ended).code).toBe(0)
  })

  test('where tandem is missing the command is told', { timeout: 60_000 }, async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    const { url, args } = await startSshd(box)
    const end = await box.tandem(['sync', 'a', `${url}/b`, '-sshargs', args, '-servercmd', '/no/such/tandem'])
    expect(end.stderr).toMatch(/what was run is: ssh -l .*'\/no\/such\/tandem serve --stdio'.*install tandem there/s)
    expect(end.code).toBe(3)
  })

  test('a key that is not known there, and a host that is not known here', { timeout: 60_000 }, async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    const { url, args } = await startSshd(box)
    writeFileSync(box.at('ssh', 'authorized'), '')
    const stranger = await box.tandem(['sync', 'a', `${url}/b`, '-sshargs', args])
    expect(stranger).toMatchObject({ code: 3, stderr: expect.stringMatching(/not let in: .*Permission denied/s) })
    writeFileSync(box.at('ssh', 'known'), '')
    const unknown = await box.tandem(['sync', 'a', `${url}/b`, '-sshargs', args])
    expect(unknown).toMatchObject({ code: 3, stderr: expect.stringMatching(/verification failed/s) })
  })

  test('nobody listens', async () => {
    const box = sandbox()
    box.write('a/f', 'one')
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    await new Promise((resolve) => silent.close(resolve))
    const port = typeof address === 'object' && address !== null ? address.port : 1
    const end = await box.tandem(['sync', 'a', `ssh://127.0.0.1:${port}/b`, '-sshargs', '-F none -o BatchMode=yes'])
    expect(end).toMatchObject({ code: 3, stderr: expect.stringMatching(/Connection refused/) })
  })
})
