import { chmodSync, chownSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseSecret, readSecret, secretText, writeSecret } from '../../src/config/secret.js'
import { failureOf, freshDirectory, keyText, write } from './fixtures.js'

const bytes = (count: number) => new Uint8Array(count).fill(0xab)
const hex = 'ab'.repeat(32)

test('what keygen writes is read back', () => {
  expect(parseSecret(secretText('laptop', { bytes }), 'f')).toEqual({ identity: 'laptop', key: bytes(32) })
})

test('a key may be written as base64url too', () => {
  const text = `identity = "a"\nkey = "${Buffer.from(bytes(32)).toString('base64url')}"`
  expect(parseSecret(text, 'f').key).toEqual(bytes(32))
})

const bad: [string, string, RegExp][] = [
  ['no identity', `key = "${hex}"`, /has no identity/],
  ['no key', 'identity = "a"', /has no key/],
  ['a short key', `identity = "a"\nkey = "${hex.slice(2)}"`, /^f:2: the key must be/],
  ['a key that is not hexadecimal', `identity = "a"\nkey = "${'zz'.repeat(32)}"`, /^f:2: the key must be/],
  ['an identity with a blank', `identity = "a b"\nkey = "${hex}"`, /^f:1: the identity must be/],
  ['an empty identity', `identity = ""\nkey = "${hex}"`, /^f:1: the identity must be/],
  ['two keys', `identity = "a"\nkey = "${hex}"\nkey = "${hex}"`, /^f:3: key is given twice/],
  ['another line', `identity = "a"\nkey = "${hex}"\ncolour = "red"`, /^f:3: not a line/],
  ['a key without quotes', `identity = "a"\nkey = ${hex}`, /^f:2: not a line/],
]
test.each(bad)('no key file: %s', async (_, text, message) => {
  const failure = await failureOf(() => parseSecret(text, 'f'))
  expect(failure.code).toBe('bad-config')
  expect(failure.message).toMatch(message)
  // T25: whatever is wrong, no message shows a piece of the key.
  expect(failure.message).not.toContain(hex.slice(0, 8))
})

test('a new key file is for its owner only, whatever the umask, and is never overwritten', async () => {
  const file = join(freshDirectory(), 'k')
  const before = process.umask(0)
  try {
    writeSecret(file, 'laptop', { bytes })
  } finally {
    process.umask(before)
  }
  expect(statSync(file).mode & 0o7777).toBe(0o600)
  expect(readSecret(file)).toEqual({ identity: 'laptop', key: bytes(32) })
  const text = readFileSync(file, 'utf8')
  const failure = await failureOf(() => writeSecret(file, 'other', { bytes }))
  expect(failure.message).toMatch(/exists already/)
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test('a key for a name that no peer can have is not made', async () => {
  const file = join(freshDirectory(), 'k')
  expect((await failureOf(() => writeSecret(file, 'a b', { bytes }))).code).toBe('bad-config')
  expect(() => statSync(file)).toThrow()
})

// T12: a key that somebody else could read or exchange is not used.
const unsafe: [string, (file: string, directory: string) => string, RegExp][] = [
  ['its group may read it', (file) => mode(file, 0o640), /mode 0640\); run: chmod 600 \S*\/k$/],
  ['everybody may read it', (file) => mode(file, 0o604), /mode 0604\); run: chmod 600/],
  ['its group may write it', (file) => mode(file, 0o620), /chmod 600/],
  ['it is a symbolic link', (file, directory) => linked(file, join(directory, 'l')), /symbolic link/],
  ['everybody may write in its directory', (file, directory) => inDirectory(file, directory, 0o777), /run: chmod go-w/],
  ['its group may write in its directory', (file, directory) => inDirectory(file, directory, 0o770), /run: chmod go-w/],
  ['it is a directory', (_, directory) => madeDirectory(join(directory, 'd')), /not a regular file/],
]
test.each(unsafe)('a key file is unsafe when %s', async (_, spoil, message) => {
  const directory = freshDirectory()
  const file = spoil(write(join(directory, 'k'), keyText('a')), directory)
  const failure = await failureOf(() => readSecret(file))
  expect(failure.code).toBe('unsafe-file')
  expect(failure.message).toMatch(message)
})

test.skipIf(process.getuid?.() !== 0)('a key file of another user is unsafe (only root can make one)', async () => {
  const file = write(join(freshDirectory(), 'k'), keyText('a'))
  chownSync(file, 65534, 65534)
  const failure = await failureOf(() => readSecret(file))
  expect(failure.code).toBe('unsafe-file')
  expect(failure.message).toMatch(/belongs to user 65534.*chown/)
})

const safe: [string, (file: string, directory: string) => string][] = [
  ['owner only', (file) => file],
  ['read only', (file) => mode(file, 0o400)],
  ['in a sticky directory, as /tmp', (file, directory) => inDirectory(file, directory, 0o1777)],
  ['with a second name', (file, directory) => secondName(file, join(directory, 'l'))],
]
test.each(safe)('a key file is safe when %s', (_, prepare) => {
  const directory = freshDirectory()
  expect(readSecret(prepare(write(join(directory, 'k'), keyText('a')), directory)).identity).toBe('a')
})

test('a file that is not there is told as such', async () => {
  expect(await failureOf(() => readSecret('/nowhere/k'))).toMatchObject({
    code: 'unreadable',
    message: '/nowhere/k: there is no such file',
  })
})

function mode(path: string, bits: number): string {
  chmodSync(path, bits)
  return path
}

function linked(file: string, name: string): string {
  symlinkSync(file, name)
  return name
}

function inDirectory(file: string, directory: string, bits: number): string {
  chmodSync(directory, bits)
  return file
}

function secondName(file: string, name: string): string {
  linkSync(file, name)
  return file
}

function madeDirectory(path: string): string {
  mkdirSync(path, 0o700)
  return path
}
