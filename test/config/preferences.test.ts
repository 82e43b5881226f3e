import { describe, expect, test } from 'vitest'
import { assignment } from '../../src/config/assignment.js'
import { ConfigFailure } from '../../src/config/config.js'
import { parsePreferences } from '../../src/config/parse-preferences.js'
import type { Preferences } from '../../src/config/preferences.js'
import { builtPreferences, findPreference, preferenceNames } from '../../src/config/preferences-table.js'
import { parseRoot } from '../../src/config/root.js'

const alpha = { given: 'photos/', spec: parseRoot('photos/', '/home/u') }
const beta = { given: 'wss://nas/pics', spec: parseRoot('wss://nas/pics', '/home/u') }

function parsed(...given: [string, string][]): Preferences {
  return parsePreferences(
    given.map(([name, value]) => assignment(name, value, 'here')),
    alpha,
    beta,
  )
}

describe('the table', () => {
  // The list that Unison 2.53's -help prints.
  const unison =
    'doc version group ignore ignorenot nocreation nodeletion noupdate owner path perms root times batch auto silent terse i acl atomic follow force forcepartial ignorecase immutable immutablenot links merge nocreationpartial nodeletionpartial noupdatepartial prefer preferpartial rsrc xattrignore xattrignorenot xattrs backup backupcurr backupcurrnot backupdir backuploc backupnot backupprefix backups backupsuffix confirmbigdel confirmmerge copyonconflict dontchmod fastcheck fat ignoreinodenumbers maxbackups numericids sortbysize sortfirst sortlast sortnewfirst repeat retry color dumbtty height addversionno clientHostName halfduplex killserver listen rsync servercmd socket sshargs sshcmd stream testserver xferbycopying ignorearchives addprefsto contactquietly copymax copyprog copyprogrest copythreshold diff ignorelocks include key label log logfile maxerrors maxsizethreshold maxthreads mountpoint rootalias showarchive source ui unicode watch debug dumparchives fastercheckUNSAFE selftest'
  const others =
    'help backuplocation backupcurrent backupcurrentnot mergebatch numerids moves-experimental watcher durability keep keepsize minfree maxdelete'

  test('knows every name of the manual', () => {
    const names = `${unison} ${others}`.split(' ')
    expect(unison.split(' ')).toHaveLength(105)
    expect(names.filter((name) => findPreference(name) === undefined)).toEqual([])
    expect(preferenceNames().toSorted()).toEqual(names.toSorted())
  })

  test('has built what this version promises', () => {
    const promised =
      'ignore ignorenot path prefer preferpartial force forcepartial nocreation nocreationpartial noupdate noupdatepartial nodeletion nodeletionpartial copyonconflict links maxsizethreshold mountpoint retry watcher durability keep keepsize minfree maxdelete batch times perms confirmbigdel maxthreads ignorelocks repeat ignorearchives sshcmd sshargs servercmd testserver root log logfile version help'
    expect(
      builtPreferences()
        .map((one) => one.name)
        .toSorted(),
    ).toEqual(promised.split(' ').toSorted())
  })

  test('every name that is not built ends the run with that name', () => {
    for (const name of preferenceNames()) {
      if (findPreference(name)?.built === true) continue
      expect(() => assignment(name, '1', 'here'), name).toThrow(`'${name}'`)
    }
  })
})

test('what nobody asked for', () => {
  expect(parsed()).toEqual({
    ignore: [],
    ignorenot: [],
    path: [],
    prefer: 'nobody',
    force: 'nobody',
    preferpartial: [],
    forcepartial: [],
    nocreation: [],
    noupdate: [],
    nodeletion: [],
    nocreationpartial: [],
    noupdatepartial: [],
    nodeletionpartial: [],
    copyonconflict: false,
    mountpoint: [],
    links: true,
    maxsizethreshold: -1,
    retry: 0,
    watcher: 'auto',
    batch: false,
    times: true,
    perms: 0o1777,
    durability: 'power-loss',
    keep: { ageMs: 30 * 86_400_000, sizeBytes: 10 * 1024 ** 3 },
    confirmbigdel: true,
    minFree: { kind: 'share', share: 0.01, bytesMax: 256 * 1024 ** 2 },
    maxDelete: { kind: 'share', share: 0.9 },
    maxthreads: 0,
    ignorelocks: false,
    repeat: { kind: 'once' },
  })
})

const good: [string, [string, string][], Partial<Preferences>][] = [
  // what it shows                             given                                              becomes
  ['a flag may be yes', [['batch', 'yes']], { batch: true }],
  ['a flag may be no', [['times', 'no']], { times: false }],
  [
    'the last one counts',
    [
      ['times', 'false'],
      ['times', 'true'],
    ],
    { times: true },
  ],
  [
    'lists grow',
    [
      ['ignore', 'Name a'],
      ['ignore', 'Path b'],
    ],
    { ignore: ['Name a', 'Path b'] },
  ],
  ['octal with 0o', [['perms', '0o755']], { perms: 0o755 }],
  ['octal with 0', [['perms', '0755']], { perms: 0o755 }],
  ['no bits', [['perms', '0']], { perms: 0 }],
  ['all bits', [['perms', '-1']], { perms: 0o7777 }],
  ['threads', [['maxthreads', '7']], { maxthreads: 7 }],
  ['every n seconds', [['repeat', '30']], { repeat: { kind: 'every', seconds: 30 } }],
  ['on events', [['repeat', 'watch']], { repeat: { kind: 'watch', fullScanSeconds: 3_600 } }],
  ['another watcher', [['watcher', 'poll']], { watcher: 'poll' }],
  ['on events and every n seconds', [['repeat', 'watch+60']], { repeat: { kind: 'watch', fullScanSeconds: 60 } }],
  [
    'nested paths become the outermost',
    [
      ['path', 'a/b'],
      ['path', 'a'],
      ['path', 'ab'],
    ],
    { path: ['a', 'ab'] as never },
  ],
  [
    'a path given twice',
    [
      ['path', 'a'],
      ['path', 'a/'],
    ],
    { path: ['a'] as never },
  ],
  ['a path with a leading dot', [['path', './a//'.replace('//', '/')]], { path: ['a'] as never }],
  [
    'all members of a directory',
    [
      ['path', 'a/*'],
      ['path', 'a/b/c'],
    ],
    { path: ['a/*'] as never },
  ],
  [
    'a directory holds its members',
    [
      ['path', 'a/*'],
      ['path', 'a'],
    ],
    { path: ['a'] as never },
  ],
  [
    'the root leaves nothing out',
    [
      ['path', 'a'],
      ['path', '.'],
    ],
    { path: [] },
  ],
  [
    'the empty path is the root',
    [
      ['path', 'a'],
      ['path', ''],
    ],
    { path: [] },
  ],
  ['the newer one wins', [['prefer', 'newer']], { prefer: 'newer' }],
  ['the older one wins', [['prefer', 'older']], { prefer: 'older' }],
  ['a root as it was given', [['prefer', 'photos/']], { prefer: 'alpha' }],
  ['a root without its slash', [['prefer', 'photos']], { prefer: 'alpha' }],
  ['a root by its full path', [['prefer', '/home/u/photos']], { prefer: 'alpha' }],
  ['a root by a unique end', [['prefer', 'otos']], { prefer: 'alpha' }],
  ['a remote root as given', [['prefer', 'wss://nas/pics']], { prefer: 'beta' }],
  ['a remote root with its port', [['prefer', 'wss://nas:4242/pics']], { prefer: 'beta' }],
  ['a remote root by its host', [['prefer', 'nas']], { prefer: 'beta' }],
  ['a root that wins every difference', [['force', 'photos']], { force: 'alpha', prefer: 'nobody' }],
  ['the newer one wins every difference', [['force', 'newer']], { force: 'newer' }],
  [
    'who wins some paths, in the order given',
    [
      ['preferpartial', 'Name *.txt -> newer'],
      ['preferpartial', 'Path a -> b -> pics'],
    ],
    {
      preferpartial: [
        { pattern: 'Name *.txt -> newer', value: 'newer' },
        { pattern: 'Path a -> b -> pics', value: 'beta' },
      ],
    },
  ],
  [
    'who wins every difference at some paths',
    [['forcepartial', 'BelowPath a -> /home/u/photos']],
    { forcepartial: [{ pattern: 'BelowPath a -> /home/u/photos', value: 'alpha' }] },
  ],
  [
    'a restriction of both roots, one given twice',
    [
      ['nodeletion', 'photos'],
      ['nodeletion', 'nas'],
      ['nodeletion', '/home/u/photos'],
    ],
    { nodeletion: ['alpha', 'beta'] },
  ],
  ['a restriction of updates', [['noupdate', 'wss://nas/pics']], { noupdate: ['beta'] }],
  ['a restriction of creations', [['nocreation', 'photos']], { nocreation: ['alpha'] }],
  [
    'a restriction of some paths',
    [['noupdatepartial', 'BelowPath a -> nas']],
    { noupdatepartial: [{ pattern: 'BelowPath a -> nas', value: 'beta' }] },
  ],
  ['copies of what is overridden', [['copyonconflict', 'true']], { copyonconflict: true }],
  ['links left alone', [['links', 'false']], { links: false }],
  ['links as everywhere', [['links', 'default']], { links: true }],
  ['a largest size', [['maxsizethreshold', '100']], { maxsizethreshold: 100 }],
  ['no largest size', [['maxsizethreshold', '-5']], { maxsizethreshold: -5 }],
  [
    'mount points',
    [
      ['mountpoint', 'usb/'],
      ['mountpoint', './a/b'],
    ],
    { mountpoint: ['usb', 'a/b'] as never },
  ],
  ['more tries', [['retry', '3']], { retry: 3 }],
  [
    'how long and how much is kept',
    [
      ['keep', '12h'],
      ['keepsize', '500 MB'],
    ],
    { keep: { ageMs: 12 * 3_600_000, sizeBytes: 500_000_000 } },
  ],
  ['a share that may go', [['maxdelete', '50%']], { maxDelete: { kind: 'share', share: 0.5 } }],
  ['a number that may go', [['maxdelete', '5000']], { maxDelete: { kind: 'count', count: 5_000 } }],
  ['everything may go', [['confirmbigdel', 'false']], { maxDelete: undefined }],
  ['a size that stays free', [['minfree', '1GiB']], { minFree: { kind: 'size', bytes: 1024 ** 3 } }],
  ['a share that stays free', [['minfree', '2.5%']], { minFree: { kind: 'share', share: 0.025, bytesMax: undefined } }],
  ['the disk may be filled', [['minfree', '0']], { minFree: undefined }],
  ['no share of it stays free', [['minfree', '0 %']], { minFree: undefined }],
  ['nothing is synced', [['durability', 'process']], { durability: 'process' }],
  ['nothing is kept for no time', [['keep', '0']], { keep: undefined }],
  ['nothing is kept in no room', [['keepsize', '0']], { keep: undefined }],
]
test.each(good)('preferences: %s', (_, given, becomes) => {
  expect(parsed(...given)).toMatchObject(becomes)
})

const bad: [string, [string, string], RegExp][] = [
  ['neither true nor false', ['batch', 'maybe'], /^here: batch = maybe: batch is true or false/],
  ['a decimal mode, which nobody means', ['perms', '755'], /octal.*write 0o755/],
  ['a mode with an 8', ['perms', '0o888'], /octal/],
  ['a mode of too many bits', ['perms', '0o17777'], /octal/],
  ['a mode in letters', ['perms', 'u+x'], /octal/],
  ['no mode', ['perms', ''], /octal/],
  ['a negative mode', ['perms', '-2'], /octal/],
  ['a negative number', ['maxthreads', '-1'], /at least 0/],
  ['a time without its unit', ['keep', '30'], /30d/],
  ['a size that is none', ['keepsize', 'much'], /10GiB/],
  ['room that is neither size nor share', ['minfree', 'some'], /1GiB, or a share of the disk, as 5%/],
  ['more room than there is', ['minfree', '101%'], /minfree is a size/],
  ['a share of more than all', ['maxdelete', '120%'], /90%/],
  ['a durability that is none', ['durability', 'forever'], /power-loss, process/],
  ['half a number', ['maxthreads', '1.5'], /whole number/],
  ['no number', ['maxthreads', ''], /whole number/],
  ['another way to repeat', ['repeat', 'often'], /watch\+SECONDS/],
  ['no pause at all', ['repeat', '0'], /at least 1/],
  ['a full scan every 0 seconds', ['repeat', 'watch+0'], /at least 1/],
  ['a third root', ['prefer', '/home/v'], /photos\/ or wss:\/\/nas\/pics/],
  ['what both roots end with', ['prefer', 's'], /one of the roots/],
  ['no root', ['prefer', ''], /one of the roots/],
  ['a third root that is forced', ['force', '/home/v'], /^here: force = \/home\/v: force is newer, older, or one of/],
  ['a side by its time', ['nodeletion', 'newer'], /nodeletion is one of the roots: photos\/ or wss:\/\/nas\/pics$/],
  ['a partial preference without a root', ['preferpartial', 'Name *.o'], /preferpartial is PATHSPEC -> root/],
  ['a partial preference with nothing after its arrow', ['forcepartial', 'Name *.o -> '], /PATHSPEC -> root/],
  ['a partial preference of a third root', ['forcepartial', 'Name *.o -> x'], /newer, older, or one of the roots/],
  ['a partial restriction by time', ['nocreationpartial', 'Name *.o -> older'], /is one of the roots/],
  ['a partial preference without a pattern', ['preferpartial', 'newer'], /preferpartial: /],
  ['links by half', ['links', 'some'], /true or false/],
  ['a size in letters', ['maxsizethreshold', '10M'], /is a whole number/],
  ['fewer than no tries', ['retry', '-1'], /at least 0/],
  ['an absolute mount point', ['mountpoint', '/mnt'], /without a leading slash/],
  ['an absolute path', ['path', '/a'], /without a leading slash/],
  ['a path that leaves the root', ['path', 'a/../..'], /path/],
  ['a pattern of no kind', ['ignore', '*.o'], /^here: ignore: /],
  ['a pattern with a leading slash', ['ignore', 'Path /a'], /ignore/],
  ['an unparsable regular expression', ['ignorenot', 'Regex a('], /ignorenot/],
]
test('more patterns than are matched against every path are refused, by the first that is too much', () => {
  const of = (name: string, count: number): [string, string][] =>
    Array.from({ length: count }, (_, at) => [name, `Regex x{1000}${at}`])
  expect(parsed(...of('ignore', 4)).ignore).toHaveLength(4)
  expect(() => parsed(...of('ignore', 3), ...of('ignorenot', 3))).toThrow(
    expect.objectContaining({
      code: 'bad-preference',
      message: expect.stringMatching(/^here: ignorenot: "Regex .*1": /),
    }),
  )
})

test.each(bad)('preferences are refused: %s', (_, [name, value], message) => {
  expect(() => parsed([name, value])).toThrow(ConfigFailure)
  expect(() => parsed([name, value])).toThrow(message)
})
