/**
 * Every preference of Unison 2.53 by name. A name that is not here does not exist; one that is not built ends the run with its name
 * rather than doing something else than the user asked for.
 */
export interface PreferenceKind {
  readonly name: string
  /**
   * flag: true or false, bare means true. list: may be given many times. string, integer: the last one counts.
   */
  readonly kind: 'flag' | 'list' | 'string' | 'integer'
  readonly built: boolean
  /** One line of help; only for what is built. */
  readonly help: string
}

/** What is built, in the order in which the help shows it. */
const built: readonly [name: string, kind: PreferenceKind['kind'], help: string][] = [
  ['batch', 'flag', 'ask no questions: conflicts are skipped'],
  ['ignore', 'list', "leave out what matches, and what is below: 'Name *.o', 'Path a/b', 'BelowPath a', 'Regex .*~'"],
  ['ignorenot', 'list', 'exceptions to ignore'],
  ['path', 'list', 'only this path and what is below; a final /* stands for all members'],
  ['prefer', 'string', 'who wins a conflict: one of the roots, newer or older'],
  ['preferpartial', 'list', "the same for some paths: 'PATHSPEC -> root'"],
  ['force', 'string', 'who wins every difference: one of the roots, newer or older'],
  ['forcepartial', 'list', "the same for some paths: 'PATHSPEC -> root'"],
  ['nocreation', 'list', 'a root on which nothing is created'],
  ['nocreationpartial', 'list', "the same for some paths: 'PATHSPEC -> root'"],
  ['noupdate', 'list', 'a root on which nothing is changed or deleted'],
  ['noupdatepartial', 'list', "the same for some paths: 'PATHSPEC -> root'"],
  ['nodeletion', 'list', 'a root on which nothing is deleted'],
  ['nodeletionpartial', 'list', "the same for some paths: 'PATHSPEC -> root'"],
  ['copyonconflict', 'flag', 'keep what is overridden beside it, as NAME (conflict_on_DATE).EXT'],
  ['links', 'string', 'synchronize symbolic links (default true); false leaves them alone'],
  ['maxsizethreshold', 'integer', 'files of so many times 1,000 bytes or more are left where they are'],
  ['mountpoint', 'list', 'do nothing unless this path exists on both sides'],
  ['times', 'flag', 'keep modification times equal (default true)'],
  ['perms', 'integer', 'mode bits kept equal: 0o1777 by default, 0 for none, -1 for all'],
  [
    'maxdelete',
    'string',
    'removals of one day that are held: over so many of 100 paths (default 90%, of 2,000 at least), or over a number',
  ],
  ['durability', 'string', 'power-loss (default): what is agreed is on disk on both sides; process: nothing is synced'],
  [
    'keep',
    'string',
    'how long what is replaced or removed is kept in .tandem/versions (default 30d); 0 for not at all',
  ],
  ['keepsize', 'string', 'how much of it at most, the oldest goes first (default 10GiB)'],
  [
    'minfree',
    'string',
    'what stays free on the disk of a root: a size, a share as 5%, or 0 (default 1%, 256MiB at most); versions go for it',
  ],
  ['confirmbigdel', 'flag', 'hold the removal of a whole root or path (default true)'],
  ['maxthreads', 'integer', 'operations under way at once; 0 lets tandem choose'],
  ['ignorelocks', 'flag', 'go on although another process holds the pair'],
  ['repeat', 'string', 'a number of seconds between passes, watch, or watch+SECONDS'],
  ['watcher', 'string', 'how local roots are watched: auto (default), inotify, parcel or poll'],
  ['retry', 'integer', 'how often one pass tries again what failed (default 0)'],
  ['sshcmd', 'string', 'the program for ssh:// roots (default ssh)'],
  ['sshargs', 'string', 'more arguments for it'],
  ['servercmd', 'string', 'how tandem is called on the other machine (default tandem)'],
  ['testserver', 'flag', 'connect to the roots, tell what is there, and end; as tandem check ROOT'],
  ['ignorearchives', 'flag', 'start as if the roots had never met'],
  ['log', 'flag', 'write events to the log (default true)'],
  ['logfile', 'string', 'where the log goes; one line of JSON per event'],
  ['root', 'list', 'a root, in profiles: given twice'],
]

const flagsToCome =
  'group owner auto silent terse i acl fat ignoreinodenumbers xattrs backups confirmmerge dontchmod numericids sortbysize sortnewfirst dumbtty addversionno halfduplex killserver rsync stream xferbycopying contactquietly showarchive watch dumparchives fastercheckUNSAFE selftest'
const listsToCome =
  'atomic follow immutable immutablenot merge xattrignore xattrignorenot backup backupcurr backupcurrnot backupnot sortfirst sortlast listen include source rootalias debug'
const stringsToCome =
  'doc ignorecase rsrc backupdir backuploc backupprefix backupsuffix fastcheck color clientHostName socket addprefsto copyprog copyprogrest diff key label ui unicode'
const integersToCome = 'maxbackups height copymax copythreshold maxerrors'

/** Other names of the manual for the same thing. */
const aliases: Readonly<Record<string, string>> = {
  backuplocation: 'backuploc',
  backupcurrent: 'backupcurr',
  backupcurrentnot: 'backupcurrnot',
  mergebatch: 'merge',
  numerids: 'numericids',
}

/** `version` and `help` end the run before anything else; they are preferences by name only. */
const special: readonly PreferenceKind[] = [
  { name: 'version', kind: 'flag', built: true, help: 'print the version and exit' },
  { name: 'help', kind: 'flag', built: true, help: 'print help and exit' },
]

function toCome(names: string, kind: PreferenceKind['kind']): PreferenceKind[] {
  return names.split(' ').map((name) => ({ name, kind, built: false, help: '' }))
}

const table: ReadonlyMap<string, PreferenceKind> = new Map(
  [
    ...built.map(([name, kind, help]) => ({ name, kind, built: true, help })),
    ...special,
    ...toCome(flagsToCome, 'flag'),
    ...toCome('moves-experimental', 'flag'),
    ...toCome(listsToCome, 'list'),
    ...toCome(stringsToCome, 'string'),
    ...toCome(integersToCome, 'integer'),
  ].map((kind) => [kind.name, kind]),
)

/** The preference of that name or alias, or undefined. Names are compared exactly, as Unison does. */
export function findPreference(name: string): PreferenceKind | undefined {
  return table.get(Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name)
}

export function builtPreferences(): PreferenceKind[] {
  return [...table.values()].filter((kind) => kind.built)
}

export function preferenceNames(): string[] {
  return [...table.keys(), ...Object.keys(aliases)]
}
