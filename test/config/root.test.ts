import { expect, test } from 'vitest'
import { parseEndpoint, parseRoot, type RootSpec } from '../../src/config/root.js'
import { stateDirectory } from '../../src/config/state.js'

const good: [string, string, string][] = [
  // what it is                     text                           understood as
  ['an absolute path', '/srv/a', 'local /srv/a'],
  ['a relative path', 'a.tmp', 'local /home/u/a.tmp'],
  ['here', '.', 'local /home/u'],
  ['with a trailing slash', 'a/', 'local /home/u/a'],
  ['with blanks', 'my photos', 'local /home/u/my photos'],
  ['with a colon', 'a:b', 'local /home/u/a:b'],
  ['a name that looks like a scheme', './wss:', 'local /home/u/wss:'],
  ['bytes that are not UTF-8', 'a\udcff', 'local /home/u/a\udcff'],
  ['a file URL', 'file:///srv/a', 'local /srv/a'],
  ['a relative file URL', 'file://a', 'local /home/u/a'],
  ['a served root', 'wss://nas:99/photos', 'wss nas 99 photos'],
  ['without a port', 'wss://nas/photos', 'wss nas 4242 photos'],
  ['an IPv4 address', 'wss://10.0.0.1:1/a', 'wss 10.0.0.1 1 a'],
  ['an IPv6 address', 'wss://[::1]:99/a', 'wss ::1 99 a'],
  ['an IPv6 address without a port', 'wss://[fe80::1]/a', 'wss fe80::1 4242 a'],
  ['a scheme in capitals', 'WSS://nas/a', 'wss nas 4242 a'],
  ['a name with dots', 'wss://nas.example.org/my.photos-2_x', 'wss nas.example.org 4242 my.photos-2_x'],
  ['a trailing slash after the name', 'wss://nas/a/', 'wss nas 4242 a'],
  ['inside this machine, unencrypted', 'ws://127.0.0.1:1/a', 'ws 127.0.0.1 1 a'],
  ['over a Unix socket', 'socket://{/run/t.sock}/a', 'socket /run/t.sock a'],
  ['over a Unix socket with a relative path', 'socket://{t.sock}/a', 'socket /home/u/t.sock a'],
  ['over ssh, from the home directory', 'ssh://nas/a/b', 'ssh - nas - ~/a/b'],
  ['over ssh, absolute', 'ssh://u@nas:2222//srv/a', 'ssh u nas 2222 /srv/a'],
  ['over ssh, the home directory', 'ssh://nas', 'ssh - nas - ~/'],
  ['over ssh, to an IPv6 address', 'ssh://u@[::1]:22/a', 'ssh u ::1 22 ~/a'],
  ['over ssh, to an IPv6 address without a port', 'ssh://[::1]/a', 'ssh - ::1 - ~/a'],
  ['over ssh, with blanks', 'ssh://nas/my photos', 'ssh - nas - ~/my photos'],
]
test.each(good)('a root: %s', (_, text, spoken) => {
  const root = parseRoot(text, '/home/u')
  expect(spell(root)).toBe(spoken)
})

function spell(root: RootSpec): string {
  switch (root.kind) {
    case 'local':
      return `local ${root.path}`
    case 'socket':
      return `socket ${root.path} ${root.name}`
    case 'ssh':
      return `ssh ${root.user ?? '-'} ${root.host} ${root.port ?? '-'} ${root.name}`
    default:
      return `${root.kind} ${root.endpoint.host} ${root.endpoint.port} ${root.name}`
  }
}

const bad: [string, string, string, RegExp][] = [
  ['nothing', '', 'bad-root', /empty/],
  ['an option in place of the host', 'ssh://-oProxyCommand=x/a', 'bad-root', /host name/],
  ['an option in place of the user', 'ssh://-oProxyCommand=x@h/a', 'bad-root', /no name of a user/],
  ['a shell in place of the user', 'ssh://$(x)@h/a', 'bad-root', /no name of a user/],
  ['ssh to nowhere', 'ssh:///a', 'bad-root', /host is missing/],
  ['ssh to port 0', 'ssh://h:0/a', 'bad-root', /from 1 to/],
  ['a Unix socket without a name', 'socket://{/run/x}', 'bad-root', /socket:\/\//],
  ['a Unix socket with an empty path', 'socket://{}/a', 'bad-root', /socket:\/\//],
  ["Unison's open socket", 'socket://h:99/a', 'bad-root', /unencrypted.*wss/],
  ['another scheme', 'https://h/a', 'bad-root', /https/],
  ['two leading slashes', '//h/a', 'bad-root', /leading slash/],
  ['no name', 'wss://nas', 'bad-root', /name of the root is missing/],
  ['an empty name', 'wss://nas/', 'bad-root', /name/],
  ['a name with a slash', 'wss://nas/a/b', 'bad-root', /name/],
  ['a name that escapes', 'wss://nas/..', 'bad-root', /name/],
  ['a user', 'wss://u@nas/a', 'bad-root', /no user/],
  ['no host', 'wss://:1/a', 'bad-root', /host is missing/],
  ['no port after the colon', 'wss://nas:/a', 'bad-root', /no port/],
  ['port 0', 'wss://nas:0/a', 'bad-root', /from 1 to/],
  ['a port too large', 'wss://nas:65536/a', 'bad-root', /no port/],
  ['a port in letters', 'wss://nas:x/a', 'bad-root', /no port/],
  ['an IPv6 address without brackets', 'wss://::1/a', 'bad-root', /brackets/],
  ['no address in brackets', 'wss://[nas]/a', 'bad-root', /host name or address/],
  ['a host with a blank', 'wss://a b/c', 'bad-root', /host name/],
  ['a file URL with a port', 'file://:99/a', 'bad-root', /port/],
  ['a NUL', 'a\0b', 'bad-root', /NUL/],
]
test.each(bad)('no root: %s', (_, text, code, message) => {
  expect(() => parseRoot(text, '/home/u')).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
})

test('a listener may take any free port', () => {
  expect(parseEndpoint('127.0.0.1:0', 0)).toEqual({ host: '127.0.0.1', port: 0 })
  expect(parseEndpoint('127.0.0.1:0', 1)).toMatch(/port/)
})

const home = '/home/u'
const stateRows: [string, string | undefined, Record<string, string>, string][] = [
  ['nothing said', undefined, {}, '/home/u/.local/state/tandem'],
  ['the desktop says', undefined, { XDG_STATE_HOME: '/x' }, '/x/tandem'],
  ['the desktop says something relative', undefined, { XDG_STATE_HOME: 'x' }, '/home/u/.local/state/tandem'],
  ['the environment says', undefined, { TANDEM_STATE_DIR: '/t', XDG_STATE_HOME: '/x' }, '/t'],
  ['the environment is empty', undefined, { TANDEM_STATE_DIR: '', XDG_STATE_HOME: '' }, '/home/u/.local/state/tandem'],
  ['the command line says', 's', { TANDEM_STATE_DIR: '/t' }, '/work/s'],
]
test.each(stateRows)('the state directory when %s', (_, option, env, place) => {
  expect(stateDirectory(option, { env, homeDirectory: home, workingDirectory: '/work' })).toBe(place)
})
