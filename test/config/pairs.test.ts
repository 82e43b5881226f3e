import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type FileConfig, parseConfigFile } from '../../src/config/file.js'
import { failureOf, freshDirectory, keyText, write } from './fixtures.js'

const whole = `[preferences]
ignore = ["Name *.o"]
times = false
perms = 0o755
logfile = "tandem.log"

[[pair]]
name = "photos"
alpha = "~/photos"
beta = "wss://nas/photos"
secret_file = "nas.key"
ignore = ["Name *.tmp"]
prefer = "~/photos"
repeat = 60

[[pair]]
name = "notes"
alpha = "notes"
beta = "/media/notes"
times = true
`

let directory = ''
function parse(text: string): Promise<FileConfig> {
  directory = freshDirectory()
  write(join(directory, 'nas.key'), keyText('laptop'))
  return parseConfigFile(text, join(directory, 'tandem.toml'), '/home/u')
}

test('pairs have the preferences of all, and their own over them; lists grow', async () => {
  const { pairs, listen, serves, log } = await parse(whole)
  expect({ listen, serves }).toEqual({ listen: [], serves: [] })
  expect(log).toMatchObject([{ name: 'logfile', value: join(directory, 'tandem.log') }])
  expect(pairs).toMatchObject([
    {
      name: 'photos',
      alpha: { kind: 'local', path: '/home/u/photos' },
      beta: { kind: 'wss', endpoint: { host: 'nas', port: 4242 }, name: 'photos', secret: { identity: 'laptop' } },
      preferences: {
        ignore: ['Name *.o', 'Name *.tmp'],
        times: false,
        perms: 0o755,
        prefer: 'alpha',
        repeat: { kind: 'every', seconds: 60 },
        batch: true,
      },
      ignoreArchives: false,
    },
    {
      name: 'notes',
      alpha: { kind: 'local', path: join(directory, 'notes') },
      beta: { kind: 'local', path: '/media/notes' },
      preferences: { ignore: ['Name *.o'], times: true, prefer: 'nobody', repeat: { kind: 'watch' } },
    },
  ])
})

test.each([
  // as it stands in the file   the mode bits
  ['0o1777', 0o1777],
  ['0', 0],
  ['-1', 0o7777],
  ['"0o700"', 0o700],
  ['0o700 # private', 0o700],
])('perms = %s', async (written, bits) => {
  const { pairs } = await parse(whole.replace('0o755', written))
  expect(pairs[0]?.preferences.perms).toBe(bits)
})

const bad: [string, (text: string) => string, RegExp][] = [
  // what is wrong                 how the file is spoiled                                   message after the file's name
  [
    'an unknown key',
    (t) => t.replace('secret_file', 'secret_fil'),
    /^:11: unknown key 'secret_fil' in pair; did you mean/,
  ],
  [
    'an unknown preference',
    (t) => t.replace('ignore = ["Name *.tmp"]', 'ignor = []'),
    /^:12: unknown key 'ignor'.*'ignore'/,
  ],
  [
    'one that is not built',
    (t) => t.replace('times = true', 'merge = "x"'),
    /^:20: the preference 'merge' is known, but/,
  ],
  ['a root as a preference', (t) => t.replace('times = true', 'root = ["x"]'), /^:20: 'root'.*alpha and beta/],
  ['the log of one pair', (t) => t.replace('times = true', 'log = false'), /^:20: 'log' belongs in \[preferences\]/],
  ['a flag that is a text', (t) => t.replace('times = false', 'times = "no"'), /^:3: times: is true or false/],
  ['a list that is a text', (t) => t.replace('["Name *.o"]', '"Name *.o"'), /^:2: ignore: is a list of texts/],
  ['a list of numbers', (t) => t.replace('["Name *.o"]', '[1]'), /^:2: ignore: is a list of texts/],
  [
    'a number that is a text',
    (t) => t.replace('times = true', 'maxthreads = "2"'),
    /^:20: maxthreads: is a whole number/,
  ],
  ['a fraction', (t) => t.replace('times = true', 'maxthreads = 1.5'), /^:20: maxthreads: is a whole number/],
  ['a text that is a flag', (t) => t.replace('times = true', 'prefer = true'), /^:20: prefer: is a text/],
  ['a value that cannot be', (t) => t.replace('times = true', 'prefer = "x"'), /^:20: prefer = x/],
  ['a pattern that cannot be', (t) => t.replace('Name *.o', '*.o'), /^:2: ignore/],
  ['decimal mode bits', (t) => t.replace('0o755', '755'), /^:4: perms = 755.*0o755/],
  ['a missing root', (t) => t.replace('beta = "/media/notes"\n', ''), /^:16: pair.beta is missing/],
  ['a pair without a name', (t) => t.replace('name = "notes"\n', ''), /^:16: pair.name is missing/],
  ['a name with a blank', (t) => t.replace('"notes"', '"my notes"'), /^:17: name: a pair's name/],
  [
    'two pairs of one name',
    (t) => t.replace('name = "notes"', 'name = "photos"'),
    /^:17: two pairs are named 'photos'/,
  ],
  [
    'two pairs of the same roots',
    (t) => `${t}\n[[pair]]\nname = "again"\nalpha = "/media/notes"\nbeta = "./notes/"\n`,
    /^:24: the pair 'notes' has the same two roots/,
  ],
  ['one root twice', (t) => t.replace('"/media/notes"', '"./notes"'), /^:19: alpha and beta are the same root/],
  ['two remote roots', (t) => t.replace('"~/photos"', '"wss://other/photos"'), /^:9: one of the roots of 'photos'/],
  ['a remote root without a key', (t) => t.replace('secret_file = "nas.key"\n', ''), /^:7: .*needs secret_file/],
  ['a key for nothing', (t) => t.replace('times = true', 'secret_file = "nas.key"'), /^:20: secret_file is the key/],
  ['a root of another kind', (t) => t.replace('wss://nas/photos', 'socket://nas:1/x'), /^:10: socket:.*unencrypted/],
  [
    'a key where none is asked for',
    (t) => t.replace('wss://nas/photos', 'ssh://nas/x'),
    /^:11: secret_file is the key/,
  ],
  ['a root of no kind', (t) => t.replace('wss://nas/photos', 'http://nas/x'), /^:10: http:/],
  [
    'an unencrypted root that nobody allowed',
    (t) => t.replace('wss://nas/photos', 'ws://127.0.0.1/x').replace('secret_file = "nas.key"\n', ''),
    /^:10: ws:.* is not encrypted/,
  ],
  [
    'an unencrypted root elsewhere',
    (t) => t.replace('wss://nas/photos', 'ws://nas/x').replace('secret_file = "nas.key"', 'insecure = true'),
    /^:10: ws:.*never leaves/,
  ],
]
test.each(bad)('a file of pairs is refused for %s', async (_, spoil, message) => {
  const text = spoil(whole)
  expect(text).not.toBe(whole)
  const failure = await failureOf(() => parse(text))
  expect(failure.code).toBe('bad-config')
  expect(failure.message.replace(/^.*?tandem\.toml/, '')).toMatch(message)
})
