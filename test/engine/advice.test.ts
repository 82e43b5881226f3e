import { expect, test } from 'vitest'
import { absPath, relPath } from '../../src/core/path.js'
import { haltText } from '../../src/engine/advice.js'
import { PairBusy } from '../../src/engine/held-archive.js'
import { MountpointMissing } from '../../src/engine/mountpoints.js'
import { emptiedText, heldText } from '../../src/engine/removals.js'
import { FileFailure } from '../../src/host/files.js'
import { StoreFailure } from '../../src/host/store.js'
import { anotherRoot } from '../../src/replica/jobs/marker.js'
import { type ReplicaCode, ReplicaFailure } from '../../src/replica/replica.js'

const failure = (code: ReplicaCode, detail: string) => new ReplicaFailure(code, '/srv/a', detail)
const afresh = /stop tandem and start it once with -ignorearchives/

const rows: [
  what: string,
  error: Error & { code: string; transient: boolean },
  saw: RegExp,
  back: RegExp,
  on?: RegExp,
][] = [
  // what halts it          what was thrown                                   what it saw            what goes back                   what goes on
  [
    'missing',
    failure('missing', 'it is not there'),
    /^\/srv\/a: it is not there\./,
    /Move or mount it back: the pair/,
    afresh,
  ],
  [
    'of another type',
    failure('not-directory', 'it is not a directory'),
    /^\/srv\/a: it is not a directory\./,
    /Move what stands there away, and what was there before back: the pair/,
    afresh,
  ],
  [
    'another identity',
    failure('in-doubt', anotherRoot('1a2b3c4d'.repeat(4), '5e6f7a8b'.repeat(4))),
    /the id 1a2b3c4d, where 5e6f7a8b is known\./,
    /Move or mount the root back: the pair/,
    afresh,
  ],
  ['unreadable', failure('unreadable', 'open .: EACCES'), /^\/srv\/a: open \.: EACCES\./, /chmod.*: the pair/],
  ['unwritable', failure('unwritable', 'mkdirat .tandem: EROFS'), /EROFS\./, /mount -o remount,rw.*: the pair/],
  [
    'low space',
    failure('low-space', '3.1 MiB free of 20.0 GiB, and minfree = 1% asks for 204.8 MiB'),
    /3\.1 MiB free of 20\.0 GiB, and minfree = 1% asks for 204\.8 MiB\./,
    /Free some space on its disk: the pair/,
    /lower minfree \(-minfree /,
  ],
  [
    'not answering',
    failure('not-answering', 'its file system does not answer'),
    /does not answer\./,
    /Bring its server.*: the pair/,
  ],
  [
    'a mount point that is absent',
    new MountpointMissing(relPath('usb'), 'beta'),
    /mount point usb does not exist on beta/,
    /Mount it or plug it in: the pair/,
    /start tandem again without -mountpoint/,
  ],
  ['a file of it is denied', new FileFailure('denied', '/srv/a', 'open', 'EACCES'), /EACCES/, /chmod.*: the pair/],
  [
    'no room for the archive',
    new StoreFailure('disk-full', absPath('/state'), undefined),
    /\/state/,
    /Free some space: the pair/,
  ],
]
test.each(rows)('a halt says what it saw, what goes back, and what goes on: %s', (_, error, saw, back, on) => {
  const text = haltText(error)
  expect(text).toMatch(saw)
  expect(text).toMatch(back)
  expect(text).toContain('the pair then goes on by itself.')
  expect(text).toContain('Nothing is deleted anywhere meanwhile.')
  if (on === undefined) expect(text.endsWith('by itself.')).toBe(true)
  else expect(text.slice(text.indexOf('by itself.'))).toMatch(on)
})

test('what only time can help says so, and what says itself what to do says nothing more', () => {
  expect(haltText(new FileFailure('io', '/srv/a', 'read', 'EIO'))).toMatch(/EIO\. It is tried again until it works\.$/)
  const busy = new PairBusy('a b', '17')
  expect(haltText(busy)).toBe(busy.message)
})

const held: [root: string, canonical: string, pair: string, goesOn: string][] = [
  ['a root of this machine', '//here//srv/a', 'photos', 'tandem resume photos --confirm, or one pass with'],
  [
    'a name that a shell would split',
    '//here//srv/a',
    "a o'b",
    "tandem resume 'a o'\\''b' --confirm, or one pass with",
  ],
  ['a root over ssh', 'ssh://u@hub//srv/a', 'photos', 'tandem resume photos --confirm, or one pass with'],
  [
    'a root that is served',
    'wss://hub:4242/pics',
    'photos',
    'tandem resume pics --confirm at hub:4242, on the machine',
  ],
]
test.each(held)('removals that are held name the command that goes on: %s', (_, canonical, pair, goesOn) => {
  const text = heldText('it would remove 2,400 of 2,500 paths', pair, { canonical })
  expect(text).toContain('it would remove 2,400 of 2,500 paths; ')
  expect(text).toContain(goesOn)
  expect(
    text.endsWith(
      `copying it back from ${canonical} to where it went takes it back, and once it was removed there, tandem restore does`,
    ),
  ).toBe(true)
})

test('so do those of an emptied root', () => {
  const [gone, kept] = [{ canonical: '//here//srv/a' }, { canonical: '//here//srv/b' }]
  expect(emptiedText('a b', 2_400, gone, kept)).toMatch(
    /all 2,400 paths of it, which are gone from \/\/here\/\/srv\/a; tandem resume 'a b' --confirm, or one pass .* copying it back from \/\/here\/\/srv\/b /,
  )
})

test('a halt says how many paths are at stake', () => {
  const gone = failure('missing', 'it is not there')
  expect(haltText(gone, 12_345)).toContain('Nothing is deleted anywhere meanwhile (12,345 paths are agreed on).')
  expect(haltText(gone, 1)).toContain('meanwhile (1 path is agreed on).')
  expect(haltText(gone, 0)).toContain('meanwhile. ')
})
