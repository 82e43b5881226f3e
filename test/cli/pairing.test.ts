import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Pairing } from '../../src/agent/serve.js'
import { pairingOf } from '../../src/cli/pairing.js'
import { withTables } from '../../src/config/edit.js'
import { Invitations } from '../../src/config/invitations.js'
import { writePrivateFile } from '../../src/config/private-file.js'
import { LinkFailure } from '../../src/host/sockets.js'
import { freshDirectory } from '../config/fixtures.js'

const key = 'ab'.repeat(32)
const text = '# the hub\n[listen]\naddress = "127.0.0.1:0"\n\n[[serve]]\nname = "photos"\npath = "photos"\n'

/** An invitation for the laptop into a configuration file that an agent follows as `reread` says. */
function invited() {
  const directory = freshDirectory()
  const config = join(directory, 't.toml')
  writePrivateFile(config, text)
  const random = { bytes: (count: number) => new Uint8Array(count).fill(9) }
  const expires = Date.now() + 60_000
  const made = new Invitations(directory).make(
    { peer: 'laptop', root: 'photos', readOnly: false, expires },
    random,
    Date.now(),
  )
  const redeem = (reread: Parameters<typeof pairingOf>[2]): ReturnType<Pairing['redeem']> =>
    pairingOf(directory, config, reread).redeem(made.identity, key)
  return { config, directory, keyFile: join(directory, 'keys/laptop.key'), redeem }
}

const followed = async () => {}

const failures: [string, Error][] = [
  ['a configuration that cannot be followed', new LinkFailure('port-in-use', 'somebody listens there')],
  ['what the system says', Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })],
  ['a mistake of ours', new TypeError('undefined is no function')],
]
test.each(failures)('a join that fails leaves everything as it was, the invitation too: %s', async (_, error) => {
  const { config, keyFile, redeem } = invited()
  const refused = await redeem(async () => {
    throw error
  })
  expect(refused).toBeInstanceOf(LinkFailure)
  expect(refused).toMatchObject({ code: 'denied', message: expect.stringContaining(error.message) })
  expect(refused).toMatchObject({ message: expect.stringMatching(/the invitation stays good$/) })
  expect(readFileSync(config, 'utf8')).toBe(text)
  expect(existsSync(keyFile)).toBe(false)
  expect(await redeem(followed)).toEqual({ peer: 'laptop', root: 'photos', readOnly: false })
  expect(existsSync(keyFile)).toBe(true)
})

test('who is revoked while joining does not come in, and has no invitation left', async () => {
  const { config, directory, keyFile, redeem } = invited()
  const refused = await redeem(async () => {
    new Invitations(directory).withdraw('laptop')
    throw new LinkFailure('port-in-use', 'somebody listens there')
  })
  expect(refused).toMatchObject({ message: expect.not.stringContaining('stays good') })
  expect(readFileSync(config, 'utf8')).toBe(text)
  expect(existsSync(keyFile)).toBe(false)
  expect(await redeem(followed)).toMatchObject({ message: expect.stringMatching(/used or withdrawn/) })
})

test('a key that is there already is not touched, and the invitation stays good', async () => {
  const { config, keyFile, redeem } = invited()
  mkdirSync(dirname(keyFile))
  writePrivateFile(keyFile, 'of somebody')
  expect(await redeem(followed)).toMatchObject({ message: expect.stringMatching(/exists already; .*stays good$/) })
  expect(readFileSync(keyFile, 'utf8')).toBe('of somebody')
  expect(readFileSync(config, 'utf8')).toBe(text)
})

test('what was written into the configuration meanwhile stays there when a join fails', async () => {
  const { config, redeem } = invited()
  const pair = { name: 'pair', values: { name: 'p', alpha: '/a', beta: '/b' } }
  await redeem(async () => {
    writePrivateFile(config, withTables(readFileSync(config, 'utf8'), [pair]))
    throw new LinkFailure('port-in-use', 'somebody listens there')
  })
  const left = readFileSync(config, 'utf8')
  expect(left).toContain('[[pair]]')
  expect(left).not.toContain('laptop')
})

test('an invitation stays spent when the peer cannot be taken out of the configuration again', async () => {
  const { config, keyFile, redeem } = invited()
  const refused = await redeem(async () => {
    writePrivateFile(config, 'peers = [{name = "laptop"}]\n')
    throw new LinkFailure('port-in-use', 'somebody listens there')
  })
  expect(refused).toMatchObject({ message: expect.not.stringContaining('stays good') })
  expect(existsSync(keyFile)).toBe(true)
  expect(await redeem(followed)).toMatchObject({ message: expect.stringMatching(/has been used/) })
})
