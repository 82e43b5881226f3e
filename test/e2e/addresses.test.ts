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
