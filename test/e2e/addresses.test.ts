import { lookup } from 'node:dns/promises'
import { writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { portOf, sandbox, servingText } from './harness.js'

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
const names = await lookup('localhost', { all: true })

/** Where an agent listens, and how it is then reached. */
const rows: (readonly [listens: string, reached: readonly string[]])[] = [
  ['127.0.0.1', ['127.0.0.1', 'localhost']],
  ['localhost', ['localhost']],
  ['0.0.0.0', ['127.0.0.1']],
]
if (hasIpv6)
  rows.push(
    ['[::1]', names.some(({ address }) => address === '::1') ? ['[::1]', 'localhost'] : ['[::1]']],
    ['[::]', ['[::1]', '127.0.0.1']],
  )

describe.each(rows)('an agent that listens at %s', (listens, reached) => {
  test(`is reached at ${reached.join(' and ')}`, async () => {
    const box = sandbox()
    box.write('a/f', 'f')
    box.write('b/g', 'g')
    await box.tandem(['keygen', 'lead', '--out', box.at('lead.key')])
    const config = box.at('serve.toml')
    writeFileSync(config, servingText({ r: 'b' }, 0, box).replace('127.0.0.1', listens), { mode: 0o600 })
    const serving = box.start(['serve', '--config', config], { state: box.at('serving-state') })
    const { address } = await serving.event('listening')
    for (const host of reached) {
      const root = `wss://${host}:${portOf(String(address))}/r`
      const done = await box.tandem(['sync', 'a', root, '--secret-file', 'lead.key', '--batch'])
      expect(done.code, done.stderr).toBe(0)
    }
    expect(box.read('b/f')).toBe('f')
  })
})

test.runIf(hasIpv6)(
  'at several addresses, each by its number and by its name; status names them all, and one can come and go',
  async () => {
    const box = sandbox()
    box.write('a/f', 'f')
    box.write('b/g', 'g')
    await box.tandem(['keygen', 'lead', '--out', box.at('lead.key')])
    const config = box.at('serve.toml')
    const write = (addresses: readonly string[]) => {
      const list = addresses.map((address) => `"${address}"`).join(', ')
      const text = servingText({ r: 'b' }, 0, box).replace('"127.0.0.1:0"', `[${list}]`)
      writeFileSync(config, text, { mode: 0o600 })
    }
    const sync = (address: string) =>
      box.tandem(['sync', 'a', `wss://${address}/r`, '--secret-file', 'lead.key', '--batch'])
    write(['127.0.0.1:0', '[::1]:0'])
    const serving = box.start(['serve', '--config', config], { state: box.at('serving-state') })
    const first = String((await serving.event('listening')).address)
    const second = String((await serving.event('listening', 1)).address)
    expect([first, second]).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^\[::1\]:\d+$/),
    ])
    for (const address of [first, second, `localhost:${portOf(first)}`])
      expect((await sync(address)).code, address).toBe(0)
    const status = await box.tandem(['status'], { state: box.at('serving-state') })
    expect(status.stdout).toContain(`serving r on ${first} and ${second}, used by nobody`)
    // The second leaves its port to one that has every address of the machine, in one step.
    write([`[::]:${portOf(second)}`])
    serving.signal('SIGHUP')
    await serving.event('listening', 2)
    expect((await sync(`127.0.0.1:${portOf(second)}`)).code).toBe(0)
    expect((await sync(first)).code).toBe(3)
  },
)
