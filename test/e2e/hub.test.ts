import { chmodSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventuallyEqual, type Running, type Sandbox, sandbox, touch } from './harness.js'

/** inotify instances of a process, threads included (Linux). */
function watchers({ pid }: Running): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => targetOf(join(`/proc/${pid}/fd`, fd)).includes('inotify')).length
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch (error) {
    // Closed since it was listed.
    if (error instanceof Error && 'code' in error) return ''
    throw error
  }
}

const scansOf = (agent: Running, root: string) =>
  agent.events().filter((one) => one.event === 'scan-started' && one.root === root).length

/** A hub that three peers may use, each with a key of its own. */
async function hub(box: Sandbox, spokes: readonly string[]): Promise<{ agent: Running; url: string }> {
  for (const name of spokes) expect((await box.tandem(['keygen', name, '--out', box.at(`${name}.key`)])).code).toBe(0)
  const peers = spokes.map((name) => `[[peers]]\nname = "${name}"\nkey_file = "${name}.key"\nroots = ["r"]\n`)
  const text = `[listen]\naddress = "127.0.0.1:0"\n\n[[serve]]\nname = "r"\npath = "hub"\n\n${peers.join('\n')}`
  box.write('hub.toml', text, { mode: 0o600 })
  const agent = box.start(['serve', '--config', 'hub.toml'], { state: box.at('hub-state') })
  return { agent, url: `wss://${String((await agent.event('listening')).address)}/r` }
}

describe.skipIf(process.platform !== 'linux')('one root, several pairs', () => {
  const spokes = ['s1', 's2', 's3']

  test('a hub and three spokes: edits on all four at once converge, with one watcher and one scan of the hub', async () => {
    const box = sandbox()
    for (let at = 0; at < 50; at++) box.write(`hub/d${at % 5}/${at}`, `hub ${at}`)
    for (const name of spokes) mkdirSync(box.at(name))
    const { agent, url } = await hub(box, spokes)
    const leads = spokes.map((name) =>
      box.start(['watch', name, url, '--secret-file', `${name}.key`], { state: box.at(`${name}-state`) }),
    )
    for (const lead of leads) await lead.event('pair-current')
    expect(watchers(agent)).toBe(1)
    const everywhere = ['hub', ...spokes]
    for (let round = 0; round < 4; round++) {
      for (const [at, name] of everywhere.entries()) {
        box.write(`${name}/d${round}/${at * 5 + round}`, `edited on ${name} in round ${round}`)
        box.write(`${name}/new-${round}/by ${name}/f`, `${name} ${round}`)
        if (round > 0) rmSync(box.at(name, 'new-0', `by ${name}`), { recursive: true, force: true })
      }
      // Some in the middle of what the last ones caused, some after it.
      if (round % 2 === 1)
        for (const name of spokes)
          await eventuallyEqual(box.at('hub'), box.at(name), () => box.exists(`hub/new-${round}/by ${name}`))
    }
    for (const name of spokes)
      await eventuallyEqual(box.at('hub'), box.at(name), () =>
        spokes.every((one) => box.exists(`hub/new-3/by ${one}/f`)),
      )
    for (const [at, name] of everywhere.entries())
      expect(box.read(`s2/d3/${at * 5 + 3}`)).toBe(`edited on ${name} in round 3`)
    for (const lead of leads) expect(lead.events().filter(({ event }) => event === 'conflict-found')).toEqual([])
    expect(watchers(agent)).toBe(1)
    expect(scansOf(agent, box.at('hub'))).toBe(1)
  })

  test('two pairs with other ignore, perms and times on one root do not disturb each other', async () => {
    const box = sandbox()
    for (const name of ['f', 'g', 'x.o']) box.write(`hub/${name}`, name, { mode: 0o644, mtime: '@1700000000.5' })
    box.write('plain/own.o', 'ignored where it is')
    const pair = (name: string, ...more: string[]) =>
      [`[[pair]]\nname = "${name}"\nalpha = "hub"\nbeta = "${name}"`, ...more, ''].join('\n')
    box.write('tandem.toml', pair('plain', 'ignore = ["Name *.o"]', 'perms = 0') + pair('exact', 'times = false'), {
      mode: 0o600,
    })
    const agent = box.start(['run', '--config', 'tandem.toml'])
    await agent.event('pair-current', 1)
    const flush = async () => expect(await box.tandem(['flush'])).toMatchObject({ code: 0, stdout: '' })
    const mode = (path: string) => statSync(box.at(path)).mode & 0o777
    const mtime = (path: string) => statSync(box.at(path), { bigint: true }).mtimeNs

    expect([box.exists('plain/x.o'), box.exists('exact/x.o')]).toEqual([false, true])
    chmodSync(box.at('hub/f'), 0o600)
    touch(box.at('hub/g'), '@1600000000.25')
    await flush()
    expect([mode('exact/f'), mode('plain/f')]).toEqual([0o600, 0o644])
    expect(mtime('plain/g')).toBe(mtime('hub/g'))
    expect(mtime('exact/g')).not.toBe(mtime('hub/g'))

    // What one pair brings to the hub goes on to the other, by the rules of that one.
    box.write('exact/new', 'from exact', { mode: 0o640, mtime: '@1500000000.75' })
    box.write('exact/y.o', 'y')
    box.write('plain/f', 'edited on plain')
    rmSync(box.at('exact/x.o'))
    await flush()
    await flush()
    expect(box.read('plain/new')).toBe('from exact')
    expect(mode('hub/new')).toBe(0o640)
    expect([box.read('hub/f'), box.read('exact/f')]).toEqual(['edited on plain', 'edited on plain'])
    expect([mode('hub/f'), mode('exact/f')]).toEqual([0o600, 0o600])
    expect([box.exists('hub/x.o'), box.exists('hub/y.o'), box.exists('plain/y.o')]).toEqual([false, true, false])
    expect(box.read('plain/own.o')).toBe('ignored where it is')
    expect(box.exists('exact/own.o')).toBe(false)

    // Then all is quiet: nothing goes to and fro.
    const done = () => agent.events().filter(({ event }) => event === 'path-applied').length
    const before = done()
    await flush()
    expect(watchers(agent)).toBe(3)
    expect(['hub', 'plain', 'exact'].map((name) => scansOf(agent, box.at(name)))).toEqual([1, 1, 1])
    expect(await box.tandem(['rescan'])).toMatchObject({ code: 0 })
    await flush()
    expect(done()).toBe(before)
    expect(agent.events().filter(({ event }) => /conflict|halted/.test(event))).toEqual([])
    agent.signal('SIGTERM')
    expect((await agent.ended).code).toBe(0)
  })
})
