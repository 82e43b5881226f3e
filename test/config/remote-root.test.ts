import { expect, test } from 'vitest'
import type { Assignment } from '../../src/config/assignment.js'
import { rootConfigOf } from '../../src/config/remote-root.js'
import { parseRoot } from '../../src/config/root.js'
import { canonicalOf } from '../../src/replica/remote.js'

const secret = { identity: 'laptop', key: new Uint8Array(32) }

function configOf(text: string, given: readonly string[] = []) {
  const assignments = given.map((one): Assignment => {
    const [name = '', value = ''] = one.split('=')
    return { name, value, from: 'here' }
  })
  return rootConfigOf(parseRoot(text, '/home/u'), { secret: () => secret, insecure: true, given: assignments })
}

const commands: [string, string, string[], string][] = [
  // what is asked                  root                    preferences                                  what is run
  ['a host', 'ssh://nas/a', [], 'ssh|-e|none|nas|tandem serve --stdio'],
  ['a user and a port', 'ssh://u@nas:22/a', [], 'ssh|-l|u|-p|22|-e|none|nas|tandem serve --stdio'],
  ['an IPv6 address', 'ssh://[::1]/a', [], 'ssh|-e|none|::1|tandem serve --stdio'],
  ['another ssh', 'ssh://nas/a', ['sshcmd=/opt/ssh'], '/opt/ssh|-e|none|nas|tandem serve --stdio'],
  ['more arguments', 'ssh://nas/a', ['sshargs=-i  key -C'], 'ssh|-e|none|-i|key|-C|nas|tandem serve --stdio'],
  ['another tandem', 'ssh://nas/a', ['servercmd=~/bin/tandem'], 'ssh|-e|none|nas|~/bin/tandem serve --stdio'],
  ['nothing after all', 'ssh://nas/a', ['sshcmd=x', 'sshcmd='], 'ssh|-e|none|nas|tandem serve --stdio'],
]
test.each(commands)('over ssh, %s', (_, text, given, command) => {
  const root = configOf(text, given)
  expect(root.kind === 'ssh' ? root.command.join('|') : root.kind).toBe(command)
})

// A pair is found again by what its roots are called in full.
const names: [string, string, string][] = [
  ['TLS', 'wss://nas/photos', 'wss://nas:4242/photos'],
  ['IPv6', 'wss://[::1]:1/photos', 'wss://[::1]:1/photos'],
  ['plain', 'ws://127.0.0.1:1/photos', 'ws://127.0.0.1:1/photos'],
  ['a Unix socket', 'socket://{/run/t}/photos', 'socket://{/run/t}/photos'],
  ['ssh from the home directory', 'ssh://u@nas/a/b', 'ssh://u@nas/a/b'],
  ['ssh, absolute', 'ssh://u@nas:22//srv/a', 'ssh://u@nas:22//srv/a'],
]
test.each(names)('the full name of a root over %s', (_, text, name) => {
  const root = configOf(text)
  expect(root.kind === 'local' ? '' : canonicalOf(root)).toBe(name)
})
