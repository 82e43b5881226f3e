import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, program, type Sandbox, sandbox } from './harness.js'

const [lead, router, peer] = ['lead', 'router', 'peer'].map((name) => `tandem-${name}-${process.pid}`) as [
  string,
  string,
  string,
]
const ip = (...args: string[]) => void execFileSync('ip', args, { stdio: 'ignore' })
const inside = (place: string, ...command: string[]) => ip('netns', 'exec', place, ...command)

/** Three hosts in a row, each with a network of its own, as whoever may do so can make them: see ip-netns(8). */
function makeHosts(): void {
  for (const place of [lead, router, peer]) {
    ip('netns', 'add', place)
    inside(place, 'ip', 'link', 'set', 'lo', 'up')
  }
  for (const [place, near, far] of [
    [lead, '10.213.1.1', '10.213.1.2'],
    [peer, '10.213.2.1', '10.213.2.2'],
  ] as const) {
    const name = place === lead ? 'to-lead' : 'to-peer'
    ip('-n', place, 'link', 'add', 'out', 'type', 'veth', 'peer', 'name', name, 'netns', router)
    ip('-n', place, 'addr', 'add', `${near}/24`, 'dev', 'out')
    ip('-n', router, 'addr', 'add', `${far}/24`, 'dev', name)
    ip('-n', place, 'link', 'set', 'out', 'up')
    ip('-n', router, 'link', 'set', name, 'up')
    ip('-n', place, 'route', 'add', 'default', 'via', far)
  }
  silence(false)
}

/** The router forwards nothing, and tells nobody. */
function silence(on: boolean): void {
  inside(router, 'sh', '-c', `echo ${on ? 0 : 1} > /proc/sys/net/ipv4/ip_forward`)
}

function removeHosts(): void {
  for (const place of [lead, router, peer]) spawnSync('ip', ['netns', 'del', place])
}

function canMakeHosts(): boolean {
  try {
    makeHosts()
    return true
  } catch {
    return false
  } finally {
    removeHosts()
  }
}

describe.skipIf(!canMakeHosts())(
  'a network that falls silent (skipped where no network namespaces can be made)',
  () => {
    let box: Sandbox
    const start = (place: string, ...args: string[]) =>
      box.startProcess('ip', ['netns', 'exec', place, process.execPath, program, ...args], {
        state: box.at(place === lead ? 'lead-state' : 'peer-state'),
      })
    beforeAll(makeHosts)
    afterAll(removeHosts)

    test('while TCP still asks: a new connection is there before it asks again; when that gave up: at once', {
      timeout: 120_000,
    }, async () => {
      box = sandbox()
      for (const name of ['a', 'b']) mkdirSync(box.at(name))
      expect((await box.tandem(['keygen', 'lead', '--out', 'lead.key'])).code).toBe(0)
      const served =
        '[[serve]]\nname = "r"\npath = "b"\n[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = ["r"]\n'
      box.write('t.toml', `[listen]\naddress = "10.213.2.1:4242"\n${served}`, { mode: 0o600 })
      await start(peer, 'serve', '--config', 't.toml').event('listening')
      const watch = start(lead, 'watch', 'a', 'wss://10.213.2.1:4242/r', '--secret-file', 'lead.key')
      await watch.event('pair-current')

      for (const [round, code, isLost] of [
        [0, 'lost', (): boolean => watch.events().filter(({ event }) => event === 'link-lost').length > 0],
        [1, 'timed-out', (): boolean => watch.events().filter(({ event }) => event === 'link-lost').length > 1],
      ] as const) {
        silence(true)
        box.write('a/f', `round ${round}`)
        // The first is mended as soon as TCP has asked in vain a few times; the second when the heartbeats have given up.
        if (round === 0)
          await eventually(
            () => inVain() >= 5,
            () => 'TCP to ask again',
          )
        else await eventually(isLost, () => 'the end of the link')
        silence(false)
        await eventually(
          () => box.exists('b/f') && box.read('b/f') === `round ${round}`,
          () => 'the edit',
        )
        await eventually(isLost, () => 'the link to be given up')
        const lost = watch.events().filter(({ event }) => event === 'link-lost')[round]
        expect(lost).toMatchObject({ code })
      }
    })

    /** How often TCP has asked again on the lead's connection: ss(8). */
    function inVain(): number {
      const said = execFileSync('ip', ['netns', 'exec', lead, 'ss', '-tino', 'state', 'established'], {
        encoding: 'utf8',
      })
      return Number(/backoff:(\d+)/.exec(said)?.[1] ?? 0)
    }
  },
)
