import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type FileConfig, parseConfigFile, readConfigFile } from '../../src/config/file.js'
import { lineOf } from '../../src/config/toml-lines.js'
import { failureOf, freshDirectory, keyText, write } from './fixtures.js'

const whole = `
[listen]
address = "127.0.0.1:4300"

[[serve]]
name = "photos"
path = "/srv/photos"

[[serve]]
name = "notes"
path = "~/notes"

[[peers]]
name = "laptop"
key_file = "laptop.key"
roots = ["photos", "notes"]
`

/** In a directory of its own with laptop.key; line 1 is the blank one. */
function parse(text: string): Promise<FileConfig> {
  const directory = freshDirectory()
  write(join(directory, 'laptop.key'), keyText('laptop'))
  write(join(directory, 'other.key'), keyText('other'))
  write(join(directory, 'same.key'), keyText('same'))
  return parseConfigFile(text, join(directory, 'tandem.toml'), '/home/u')
}

const wss = (host: string, port: number) => ({ kind: 'wss', endpoint: { host, port } })
const minFree = { kind: 'share', share: 0.01, bytesMax: 256 * 1024 ** 2 }
const maxDelete = { kind: 'share', share: 0.9 }
const keep = { ageMs: 30 * 86_400_000, sizeBytes: 10 * 1024 ** 3 }

test('a serving file is read', async () => {
  expect(await parse(whole)).toEqual({
    pairs: [],
    log: [],
    listen: [wss('127.0.0.1', 4300)],
    serves: [
      { name: 'photos', path: '/srv/photos', keep, minFree, maxDelete },
      { name: 'notes', path: '/home/u/notes', keep, minFree, maxDelete },
    ],
    peers: [{ name: 'laptop', key: new Uint8Array(32).fill(0x5a), roots: ['photos', 'notes'] }],
  })
})

test('a served root has room of its own to keep', async () => {
  const text = whole.replace('path = "/srv/photos"', '$&\nminfree = "5%"')
  const [photos, notes] = (await parse(text)).serves
  expect([photos?.minFree, notes?.minFree]).toEqual([{ kind: 'share', share: 0.05, bytesMax: undefined }, minFree])
})

test('several addresses, in their order', async () => {
  const text = whole.replace(
    '"127.0.0.1:4300"',
    '["127.0.0.1:4300", "[::1]:4300", "nas.local", "0.0.0.0:0", "0.0.0.0:0"]',
  )
  expect((await parse(text)).listen).toEqual([
    wss('127.0.0.1', 4300),
    wss('::1', 4300),
    wss('nas.local', 4242),
    wss('0.0.0.0', 0),
    wss('0.0.0.0', 0),
  ])
})

test('loopback and port 4242 unless it says otherwise', async () => {
  expect((await parse(whole.replace(/\[listen\]\naddress.*\n/, ''))).listen).toEqual([wss('127.0.0.1', 4242)])
  expect((await parse(whole.replace('127.0.0.1:4300', '[::]'))).listen).toEqual([wss('::', 4242)])
  expect((await parse(whole.replace('4300', '0'))).listen).toEqual([wss('127.0.0.1', 0)])
})

/** Whoever is on this machine. */
function withoutPeers(text: string): string {
  return text.slice(0, text.indexOf('[[peers]]')).replace('4300"', '4300"\ninsecure = true')
}

test('an unencrypted listener inside this machine, and a Unix socket', async () => {
  const insecure = withoutPeers(whole).replace('insecure', 'socket = "run/t.sock"\ninsecure')
  const { listen } = await parse(insecure)
  expect(listen).toEqual([
    { kind: 'ws', endpoint: { host: '127.0.0.1', port: 4300 } },
    { kind: 'socket', path: expect.stringMatching(/^\/.*\/run\/t\.sock$/) },
  ])
  const socketOnly = insecure.replace(/address.*\n/, '').replace(/insecure.*\n/, '')
  expect((await parse(socketOnly)).listen).toMatchObject([{ kind: 'socket' }])
})

const bad: [string, (text: string) => string, RegExp][] = [
  // what is wrong                     how the file is spoiled                                       message after the file's name
  ['no TOML', (t) => t.replace('path = "/srv/photos"', 'path = /srv/photos'), /^:7: /],
  ['an open string', (t) => t.replace('"/srv/photos"', '"/srv/photos'), /^:7: /],
  ['an unknown table', (t) => `${t}\n[limits]\nrate = 1\n`, /^:18: unknown key 'limits'/],
  ['an unknown key at the top', (t) => `colour = "red"${t}`, /^:1: unknown key 'colour'/],
  [
    'an unknown key in a table',
    (t) => t.replace('address =', 'adress ='),
    /^:3: unknown key 'adress' in listen; did you mean 'address'\?/,
  ],
  [
    'an unknown key in the second of a list',
    (t) => t.replace('path = "~/notes"', 'path = "~/notes"\nreadonly = true'),
    /^:12: unknown key 'readonly' in serve/,
  ],
  ['a misspelt table', (t) => t.replace('[[peers]]', '[[peer]]'), /^:13: unknown key 'peer'; did you mean 'peers'\?/],
  ['a missing key', (t) => t.replace('name = "notes"\n', ''), /^:9: serve.name is missing/],
  ['a value of another type', (t) => t.replace('"/srv/photos"', '7'), /^:7: serve.path: .*string/],
  ['roots that are no list', (t) => t.replace('["photos", "notes"]', '"photos"'), /^:16: peers.roots: .*array/],
  ['an address without sense', (t) => t.replace('127.0.0.1:4300', 'here:there'), /^:3: address: 'there' is no port/],
  [
    'several, one of them without sense',
    (t) => t.replace('"127.0.0.1:4300"', '["[::1]:4300", "::1:4300"]'),
    /^:3: address: /,
  ],
  ['no address in a list of them', (t) => t.replace('"127.0.0.1:4300"', '[]'), /^:3: listen.address/],
  ['addresses that are none', (t) => t.replace('"127.0.0.1:4300"', '[1]'), /^:3: listen.address/],
  [
    'two addresses of which one is in the other',
    (t) => t.replace('"127.0.0.1:4300"', '["127.0.0.1:4300", "[::]:4300"]'),
    /^:3: address: 127.0.0.1:4300 and \[::\]:4300 have addresses in common/,
  ],
  [
    'an address twice',
    (t) => t.replace('"127.0.0.1:4300"', '["0.0.0.0:4300", "127.0.0.1:4300"]'),
    /^:3: address: 0.0.0.0:4300 and 127.0.0.1:4300 have/,
  ],
  ['a served root with a slash', (t) => t.replace('name = "notes"', 'name = "a/b"'), /^:10: name: a served root/],
  ['two served roots of one name', (t) => t.replace('name = "notes"', 'name = "photos"'), /^:10: two served roots/],
  [
    'a root that is not served',
    (t) => t.replace('["photos", "notes"]', '["photo"]'),
    /^:16: no served root is named 'photo'; did you mean 'photos'/,
  ],
  ['two peers of one name', (t) => `${t}\n${t.slice(t.indexOf('[[peers]]'))}`, /^:19: two peers are named 'laptop'/],
  [
    'the key of another peer',
    (t) => t.replace('laptop.key', 'other.key'),
    /^:15: the key in other.key is that of 'other'/,
  ],
  ['nothing is served', (t) => t.slice(0, t.indexOf('[[serve]]')), /^:2: serve is missing/],
  ['peers without a served root', (t) => t.slice(t.indexOf('[[peers]]')), /^:1: serve is missing/],
  [
    'nobody who may connect',
    (t) => t.slice(0, t.indexOf('[[peers]]')).replace(/\[listen\]\naddress.*\n/, ''),
    /^:3: nobody can use 'photos'.*\[\[peers\]\]/,
  ],
  [
    'an unencrypted listener for all the world',
    (t) => withoutPeers(t).replace('127.0.0.1', '0.0.0.0'),
    /^:4: insecure: .*loopback/,
  ],
  ['keys that nobody asks for', (t) => t.replace('4300"', '4300"\ninsecure = true'), /^:4: insecure: .*keys/],
  ['nothing at all', () => '# nothing\n', /^:1: there is nothing to do/],
  [
    'two peers with one key',
    (t) => `${t}\n[[peers]]\nname = "same"\nkey_file = "same.key"\nroots = []\n`,
    /^:20: the peers 'laptop' and 'same' have one key/,
  ],
  [
    'room that is neither size nor share',
    (t) => t.replace('path = "/srv/photos"', '$&\nminfree = "some"'),
    /^:8: serve.minfree: is a size, as 1GiB, or a share/,
  ],
  ['a watcher that nobody has', (t) => t.replace('path = "/srv/photos"', '$&\nwatcher = "eye"'), /^:8: serve.watcher/],
]
test.each(bad)('a serving file is refused for %s', async (_, spoil, message) => {
  const text = spoil(whole)
  expect(text).not.toBe(whole)
  const failure = await failureOf(() => parse(text))
  expect(failure.code).toBe('bad-config')
  expect(failure.message.replace(/^.*tandem\.toml/, '')).toMatch(message)
})

test('a key file that is missing or unsafe is told by its own name', async () => {
  const failure = await failureOf(() => parse(whole.replace('laptop.key', 'missing.key')))
  expect(failure).toMatchObject({
    code: 'unreadable',
    message: expect.stringMatching(/missing\.key: there is no such file/),
  })
})

test('the file itself must be private', async () => {
  const directory = freshDirectory()
  write(join(directory, 'laptop.key'), keyText('laptop'))
  const file = write(join(directory, 'tandem.toml'), whole, 0o644)
  expect(await failureOf(() => readConfigFile(file, '/home/u'))).toMatchObject({
    code: 'unsafe-file',
    message: expect.stringMatching(/chmod 600/),
  })
})

test('lines are found past strings that look like keys', () => {
  const text = 'a = """\nb = 1\n[c]\n"""\nb = 2\n[c]\n"d e".f = 3\n[[g]]\nh = 1\n[[g]]\nh = 2\n'
  expect(
    [['b'], ['c'], ['c', 'd e', 'f'], ['g', 1, 'h'], ['g', 1, 'missing'], ['nowhere']].map((path) =>
      lineOf(text, path),
    ),
  ).toEqual([5, 6, 7, 11, 10, 1])
})
