import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { eventually, type Running, type Sandbox, sandbox } from './harness.js'

/** Plays the service manager: prints each datagram on a line of its own. */
const manager = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0', 1) if sys.argv[1].startswith('@') else sys.argv[1])
print('bound', flush=True)
while True:
    print(repr(s.recv(4096).decode()), flush=True)
`
const noPython = spawnSync('python3', ['--version']).error !== undefined

async function underManager(
  box: Sandbox,
  address: string,
  more: Record<string, string> = {},
): Promise<{ agent: Running; heard(): string[] }> {
  box.write('manager.py', manager)
  const playing = box.startProcess('python3', ['manager.py', address])
  await playing.said('bound')
  box.write('a/f', 'x')
  box.write('tandem.toml', '[[pair]]\nname = "one"\nalpha = "a"\nbeta = "b"\n', { mode: 0o600 })
  const agent = box.start(['run', '--config', 'tandem.toml'], { env: { NOTIFY_SOCKET: address, ...more } })
  return { agent, heard: () => playing.stdout.split('\n').slice(1, -1) }
}

const addresses: [string, (box: Sandbox) => string][] = [
  ['a path', (box) => box.at('notify')],
  ['an abstract name', (box) => `@tandem-test-${box.path}`],
]
test.skipIf(noPython || process.platform !== 'linux').each(addresses)(
  'the service manager is told of the start, the state, a reload and the end, at %s (needs python3)',
  async (_, addressOf) => {
    const box = sandbox()
    const { agent, heard } = await underManager(box, addressOf(box), { WATCHDOG_USEC: '200000' })
    const until = (text: RegExp) =>
      eventually(
        () => heard().some((line) => text.test(line)),
        () => `${text} among ${heard().join(' ')}; ${agent.stderr}`,
      )
    await until(/^'READY=1\\nSTATUS=1 pair: 1 /)
    await until(/STATUS=1 pair: 1 watching'/)
    await until(/^'WATCHDOG=1'$/)
    expect(heard().filter((line) => line.includes('READY=1'))).toHaveLength(1)
    agent.signal('SIGHUP')
    await until(/^'RELOADING=1\\nMONOTONIC_USEC=\d+'$/)
    await eventually(
      () => heard().filter((line) => line.includes('READY=1')).length === 2,
      () => heard().join(' '),
    )
    expect((await box.tandem(['stop'])).code).toBe(0)
    expect((await agent.ended).code).toBe(0)
    await until(/^'STOPPING=1\\nSTATUS=finishing what is in hand'$/)
  },
)

test('a service manager that is not there disturbs nobody', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('tandem.toml', '[[pair]]\nname = "one"\nalpha = "a"\nbeta = "b"\n', { mode: 0o600 })
  for (const NOTIFY_SOCKET of [box.at('nobody'), 'no address', `/${'x'.repeat(200)}`]) {
    const agent = box.start(['run', '--config', 'tandem.toml'], { env: { NOTIFY_SOCKET } })
    await agent.event('pair-current')
    agent.signal('SIGTERM')
    expect((await agent.ended).code).toBe(0)
  }
})
