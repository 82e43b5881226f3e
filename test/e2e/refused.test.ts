import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import {
  giveToPlainUser,
  placeForOthers,
  plainUser,
  portOf,
  type Sandbox,
  sandbox,
  serve,
  servingText,
  tree,
} from './harness.js'

const key = `identity = "lead"\nkey = "${'5a'.repeat(32)}"\n`

// Each ends with the code on its own, says what is wrong on standard error, and changes nothing.
const lines: [string, string, number, RegExp, ((box: Sandbox) => void)?][] = [
  ['an unknown option', 'sync a b --bach', 64, /--bach.*did you mean --batch/],
  ['one root', 'sync a', 64, /two roots/],
  ['a misspelt command', 'snyc a b', 64, /did you mean the command sync/],
  ['no arguments', '', 64, /two roots/],
  ['a preference that is not built', 'sync a b -merge x', 3, /'merge'/],
  ['a value that cannot be', 'sync a b -times=maybe', 3, /times is true or false/],
  ['a pattern that cannot be', 'sync a b -ignore=*.o', 3, /ignore/],
  ['a root over ssh, to an option', 'sync a ssh://-oProxyCommand=x/b', 3, /ssh:\/\//],
  ["Unison's socket", 'sync a socket://h:1/b', 3, /unencrypted/],
  ['the same root twice', 'sync a a', 3, /same|twice/],
  ['the same root under two names', 'sync a link', 3, /same|twice/, (box) => symlinkSync('a', box.at('link'))],
  ['one root in the other', 'sync a a/d', 3, /inside|within|nested|in the other/],
  ['the state directory in a root', 'sync a b --state-dir a/state', 3, /state directory/],
  [
    'a state directory that cannot be',
    'sync a b --state-dir c/state',
    3,
    /c\/state.*--state-dir/,
    (box) => box.write('c', ''),
  ],
  ['a profile that is not there', 'sync a b --profile p', 3, /p: the profile/],
  [
    'a profile with an unknown name',
    'sync a b --profile p',
    3,
    /p:2: .*'colour'/,
    (box) => box.write('p', '\ncolour = red\n'),
  ],
  ['a key file that is not there', 'sync a wss://127.0.0.1:1/x --secret-file k', 78, /no such file/],
  [
    'a key file that others may read',
    'sync a wss://127.0.0.1:1/x --secret-file k',
    78,
    /chmod 600/,
    (box) => box.write('k', key, { mode: 0o644 }),
  ],
  ['a remote root without a key', 'sync a wss://127.0.0.1:1/x', 64, /--secret-file/],
  [
    'nobody at the other end',
    'sync a wss://127.0.0.1:1/x --secret-file k',
    3,
    /127\.0\.0\.1:1/,
    (box) => box.write('k', key, { mode: 0o600 }),
  ],
  ['a configuration that is not there', 'serve --config c', 78, /c: there is no such file/],
  [
    'a configuration that others may write',
    'serve --config c',
    78,
    /chmod 600/,
    (box) => box.write('c', 'x', { mode: 0o622 }),
  ],
  [
    'a configuration that is no TOML',
    'serve --config c',
    78,
    /c:2: /,
    (box) => box.write('c', '\n[listen\n', { mode: 0o600 }),
  ],
  [
    'a configuration with an unknown key',
    'serve --config c',
    78,
    /c:1: unknown key 'lisen'.*'listen'/,
    (box) => box.write('c', '[lisen]\n', { mode: 0o600 }),
  ],
  ['a key over an old one', 'keygen lead --out a/f', 78, /never overwritten/],
]
test.each(lines)('refused: %s', async (_, line, code, message, prepare) => {
  const box = sandbox()
  box.write('a/f', 'on a')
  box.write('a/d/g', 'deep')
  box.write('b/f', 'on b')
  prepare?.(box)
  const before = [tree(box.at('a')), tree(box.at('b'))]
  const end = await box.tandem(line === '' ? [] : line.split(' '))
  expect(end.stderr).toMatch(message)
  expect(end.stderr).not.toMatch(/^ {4}at /m)
  expect(end.code).toBe(code)
  expect([tree(box.at('a')), tree(box.at('b'))]).toEqual(before)
})

test('an unwritable root is told with its path', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('b', 'a file where a directory is needed')
  const end = await box.tandem(['sync', 'a', 'b'])
  expect(end.code).toBe(3)
  expect(end.stderr + end.stdout).toContain(box.at('b'))
  expect(box.read('b')).toBe('a file where a directory is needed')
})

test('the wrong key, an unknown peer and an unknown root are told apart, and the key is never shown', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  mkdirSync(box.at('b'))
  const serving = await serve(box, { photos: 'b' })
  const ask = (url: string, file: string) => box.tandem(['sync', 'a', url, '--secret-file', file])

  box.write('wrong.key', key, { mode: 0o600 })
  const wrong = await ask(serving.url('photos'), 'wrong.key')
  expect(wrong).toMatchObject({ code: 3, stderr: expect.stringMatching(/key/) })
  box.write('stranger.key', key.replace('lead', 'stranger'), { mode: 0o600 })
  const stranger = await ask(serving.url('photos'), 'stranger.key')
  expect(stranger).toMatchObject({ code: 3, stderr: expect.stringMatching(/peer|stranger/) })
  const unknown = await ask(serving.url('music'), serving.keyFile)
  expect(unknown).toMatchObject({ code: 3, stderr: expect.stringMatching(/music/) })

  expect(tree(box.at('b'))).toEqual({ '.': expect.stringMatching(/^dir/) })
  // T25: a known secret is in no output, on neither end.
  const secret = /key = "([0-9a-f]+)"/.exec(box.read('lead.key'))?.[1] ?? 'none'
  const outputs = [wrong, stranger, unknown].map((one) => one.stdout + one.stderr).join('') + serving.process.stderr
  expect(secret).toHaveLength(64)
  expect(outputs).not.toContain(secret.slice(0, 16))
  expect(outputs).not.toContain('5a5a5a5a')
  await serving.process.event('peer-refused')
  // And it goes on serving whom it knows.
  expect((await ask(serving.url('photos'), serving.keyFile)).code).toBe(0)
  expect(box.read('b/f')).toBe('x')
})

test('a crowd of strangers is a few lines, with how many they were', async () => {
  const box = sandbox()
  mkdirSync(box.at('b'))
  const serving = await serve(box, { photos: 'b' })
  const crowd = 60
  for (let one = 0; one < crowd; one++)
    await new Promise<void>((resolve) => {
      const stranger = connect(portOf(serving.address), '127.0.0.1', () => stranger.write('GET / HTTP/1.1\r\n\r\n'))
      stranger.on('error', () => {})
      stranger.once('close', () => resolve())
      stranger.resume()
    })
  expect(await serving.process.event('peer-refused')).toMatchObject({ remote: expect.stringMatching(/^127\.0\.0\.1:/) })
  serving.process.signal('SIGTERM')
  expect((await serving.process.ended).code).toBe(0)
  const told = serving.process.events().filter(({ event }) => event === 'peer-refused')
  expect(told.length).toBeLessThan(6)
  expect(told.reduce((sum, { times }) => sum + (typeof times === 'number' ? times : 1), 0)).toBe(crowd)
})

test('a port in use is told with its number', async () => {
  const box = sandbox()
  mkdirSync(box.at('b'))
  writeFileSync(box.at('lead.key'), key, { mode: 0o600 })
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  try {
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    writeFileSync(box.at('c.toml'), servingText({ photos: 'b' }, port, box), { mode: 0o600 })
    const end = await box.tandem(['serve', '--config', 'c.toml'])
    expect(end.code).toBe(3)
    expect(end.stderr).toContain(String(port))
  } finally {
    taken.close()
  }
})

test.skipIf(placeForOthers === undefined)(
  'a state directory without permission is told (needs a place that others can reach)',
  async () => {
    const box = sandbox(placeForOthers)
    for (const name of ['a', 'b', 'state']) mkdirSync(box.at(name))
    giveToPlainUser(box)
    chmodSync(box.at('state'), 0o500)
    const end = await box.tandem(['sync', 'a', 'b'], plainUser)
    expect(end.code).toBe(3)
    expect(end.stderr).toMatch(/state: the state directory cannot be written.*--state-dir/)
  },
)

test('a second process on the pair is refused and names the first; the first goes on', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  const first = box.start(['watch', 'a', 'b'])
  await first.event('pair-current')
  for (const roots of [
    ['a', 'b'],
    ['b', 'a'],
  ]) {
    const second = await box.tandem(['sync', ...roots])
    expect(second.code).toBe(3)
    expect(second.stderr).toContain(String(first.pid))
  }
  box.write('a/g', 'y')
  await first.until(() => box.exists('b/g'), 'g on b')
})

test('the address of a serving agent has its real port', async () => {
  const box = sandbox()
  mkdirSync(box.at('b'))
  expect(portOf((await serve(box, { photos: 'b' })).address)).toBeGreaterThan(0)
})
