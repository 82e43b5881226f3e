import { expect, test } from 'vitest'
import { withAddress, withoutPeer, withTables } from '../../src/config/edit.js'

const file = `# The house of the laptop.
[listen]
address = "127.0.0.1:0" # only here

[[serve]]
name = "music"
path = "/srv/music"

# Anna, since spring
[[peers]]
name = "anna"
key_file = "keys/anna.key"
# not the photos
roots = [
  "music", # all of it
]

# Bert
[[peers]]
name = "bert"
key_file = "keys/bert.key"
roots = ["music"]
`

test('tables come at the end, and nothing else is touched', () => {
  const values = { name: 'carl', key_file: 'keys/"carl".key', roots: ['music'], read_only: true }
  expect(withTables(file, [{ name: 'peers', values }])).toBe(
    `${file}\n[[peers]]\nname = "carl"\nkey_file = "keys/\\"carl\\".key"\nroots = ["music"]\nread_only = true\n`,
  )
})

test('the first tables of a file that has none, and of one that does not end its last line', () => {
  const serve = { name: 'serve', values: { name: 'a', path: '/a' } }
  expect(withTables('', [{ name: 'listen', single: true, values: { address: 'x' } }, serve])).toBe(
    '[listen]\naddress = "x"\n\n[[serve]]\nname = "a"\npath = "/a"\n',
  )
  expect(withTables('# end', [serve])).toBe('# end\n\n[[serve]]\nname = "a"\npath = "/a"\n')
})

test('a peer goes with its keys; every comment stays', () => {
  const left = withoutPeer(file, 'anna')
  expect(left).toContain('# Anna, since spring\n# not the photos\n\n# Bert\n[[peers]]\nname = "bert"')
  expect(left).not.toContain('anna.key')
  expect(withoutPeer(left, 'bert')).not.toContain('peers')
  expect(withoutPeer(file, 'bert')).toContain('"music", # all of it')
})

test.each<[string, string, string]>([
  ['no [listen]', '# hub\n', '# hub\n\n[listen]\naddress = "127.0.0.1:4242"\n'],
  [
    'one without an address',
    '[listen] # here\n# x\n[[serve]]\n',
    '[listen] # here\naddress = "127.0.0.1:4242"\n# x\n[[serve]]\n',
  ],
])('where to listen, in a file with %s', (_, before, after) => {
  expect(withAddress(before, '127.0.0.1:4242')).toBe(after)
})

const refused: [string, () => string, RegExp][] = [
  ['a peer that is not there', () => withoutPeer(file, 'carl'), /no peer is named 'carl'/],
  ['peers in one line', () => withoutPeer('peers = [{name = "anna"}]\n', 'anna'), /by hand/],
  [
    'a header inside a text',
    () => withoutPeer('[[peers]]\nname = "anna"\nnote = """\n[[peers]]\n"""\n[[peers]]\nname = "bert"\n', 'anna'),
    /by hand|no TOML/,
  ],
  [
    'peers that nothing can be added to',
    () => withTables('peers = [{name = "a"}]\n', [{ name: 'peers', values: { name: 'b' } }]),
    /no TOML|by hand/,
  ],
  ['a [listen] that is no table of its own', () => withAddress('listen = {}\n', 'a:1'), /by hand|no TOML/],
  ['an address that is there', () => withAddress('[listen]\naddress = "b:1"\n', 'a:1'), /by hand|no TOML/],
  ['no TOML', () => withTables('[[peers', []), /no TOML/],
]
test.each(refused)('refused, and nothing is spoiled: %s', (_, edit, message) => {
  expect(edit).toThrow(message)
})
