import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { invitationLine, parseInvitation } from '../../src/config/invitation.js'
import { Invitations } from '../../src/config/invitations.js'
import { freshDirectory } from './fixtures.js'

const secret = { identity: 'invite-0123456789abcdef', key: Uint8Array.from({ length: 32 }, (_, at) => at * 7) }

test.each([
  ['a name', { host: 'nas', port: 4242 }],
  ['an IPv6 address', { host: 'fe80::1', port: 1 }],
])('a line says everything: %s', (_, endpoint) => {
  const line = invitationLine({ endpoint, root: 'my.photos', secret })
  expect(line).not.toMatch(/[\s$&;|<>"'`*?(){}!\\]/)
  expect(parseInvitation(` ${line}\n`)).toEqual({ endpoint, root: 'my.photos', secret })
})

const whole = invitationLine({ endpoint: { host: 'nas', port: 4242 }, root: 'photos', secret })
const bad: [string, string][] = [
  ['nothing', ''],
  ['another word', whole.replace('tandem-invite:', 'https://')],
  ['a key that is too short', whole.slice(0, -1)],
  ['a key that is too long', `${whole}A`],
  ['one part too many', `${whole}/x`],
  ['no id', whole.replace('0123456789abcdef', '')],
  ['no root', whole.replace('photos', '')],
  ['no port that can be', whole.replace('4242', '0')],
]
test.each(bad)('no invitation, and nothing of it is told: %s', (_, text) => {
  expect(() => parseInvitation(text)).toThrow(/^this is no invitation; it is one line, as tandem invite prints it$/)
})

const random = { bytes: (count: number) => new Uint8Array(count).fill(9) }
const invited = { peer: 'laptop', root: 'photos', readOnly: true, expires: 1_000_000 }

test('an invitation is good for one, once, until it expires; its key is known after that, so that it can be said', () => {
  const state = freshDirectory()
  const made = new Invitations(state).make(invited, random, 0)
  expect(statSync(join(state, 'invitations')).mode & 0o777).toBe(0o700)
  expect(new Invitations(state).keyOf(made.identity)).toEqual(made.key)
  expect(new Invitations(state).use(made.identity, 1_000_001)).toMatch(/expired/)
  expect(new Invitations(state).use(made.identity, 1_000_000)).toMatchObject(invited)
  expect(new Invitations(state).use(made.identity, 1_000_000)).toMatch(/has been used/)
  expect(new Invitations(state).keyOf(made.identity)).toEqual(made.key)
})

test('invitations of a peer are withdrawn: they are good for nobody, and those of others stay', () => {
  const state = freshDirectory()
  const invitations = new Invitations(state)
  expect(invitations.withdraw('laptop')).toBe(0)
  const made = [1, 2, 3].map((byte, at) =>
    invitations.make(
      { ...invited, peer: at === 2 ? 'phone' : 'laptop' },
      { bytes: (n) => new Uint8Array(n).fill(byte) },
      0,
    ),
  )
  expect(invitations.withdraw('laptop')).toBe(2)
  expect(made.map(({ identity }) => invitations.use(identity, 0))).toEqual([
    expect.stringMatching(/withdrawn: ask for another one/),
    expect.stringMatching(/withdrawn/),
    expect.objectContaining({ peer: 'phone' }),
  ])
  expect(invitations.withdraw('laptop')).toBe(0)
})

test('one that is being used while it is withdrawn is not good again', () => {
  const invitations = new Invitations(freshDirectory())
  const { identity, key } = invitations.make(invited, random, 0)
  invitations.use(identity, 0)
  expect(invitations.isUsed(identity)).toBe(true)
  expect(invitations.withdraw('laptop')).toBe(0)
  expect(invitations.isUsed(identity)).toBe(false)
  invitations.giveBack(identity)
  expect(invitations.use(identity, 0)).toMatch(/withdrawn/)
  // Who comes with it can still be told so.
  expect(invitations.keyOf(identity)).toEqual(key)
})

test('names that are no invitations are not looked for', () => {
  const invitations = new Invitations(freshDirectory())
  for (const name of ['laptop', '../../key', 'invite-../../../../etc/x', 'invite-0123456789abcdef'])
    expect(invitations.keyOf(name)).toBeUndefined()
})

test('old ones are forgotten', () => {
  const state = freshDirectory()
  new Invitations(state).make(invited, random, 0)
  const other = { bytes: (count: number) => new Uint8Array(count).fill(8) }
  new Invitations(state).make({ ...invited, expires: 2e9 }, other, 1e9)
  expect(readdirSync(join(state, 'invitations'))).toEqual(['invite-0808080808080808.open'])
})
