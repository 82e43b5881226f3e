import { expect, test } from 'vitest'
import { exitCodeOf } from '../../src/cli/exit-codes.js'
import { type CommandLine, parseCommandLine } from '../../src/cli/program.js'

const good: [string, string][] = [
  // what is typed                                        what is understood
  ['a b', 'sync a b'],
  ['sync a b', 'sync a b'],
  ['watch a b', 'watch a b'],
  ['a b --batch', 'sync a b batch=true'],
  ['a b -batch', 'sync a b batch=true'],
  ['-batch a b', 'sync a b batch=true'],
  ['sync -batch a b', 'sync a b batch=true'],
  ['sync a -batch b', 'sync a b batch=true'],
  ['--batch sync a b', 'sync a b batch=true'],
  ['a b -batch=false', 'sync a b batch=false'],
  ['a b --times false', 'sync a b times=false'],
  ['a b --batch ./true', 'usage'],
  ['a --batch ./true', 'sync a ./true batch=true'],
  ['a b --perms 0o755', 'sync a b perms=0o755'],
  ['a b -perms -1', 'sync a b perms=-1'],
  ['a b -perms=-1', 'sync a b perms=-1'],
  ['a b -ignore Name#* -ignore=Path#x=y', 'sync a b ignore=Name * ignore=Path x=y'],
  ['a b --ignore -x', 'sync a b ignore=-x'],
  ['-root a -root b', 'sync root=a root=b'],
  ['--profile p', 'sync profile:p'],
  ['a b -profile=p', 'sync a b profile:p'],
  ['a b --state-dir s --secret-file k', 'sync a b state:s secret:k'],
  ['a b -state-dir s', 'sync a b state:s'],
  ['a b --dry-run', 'sync a b dry'],
  ['watch a b --json', 'watch a b json'],
  ['a b --mirror', 'sync a b mirror'],
  ['watch a b -mirror', 'watch a b mirror'],
  ['a b -links false -nodeletion b', 'sync a b links=false nodeletion=b'],
  ['-- -a -b', 'sync -a -b'],
  ['sync -- -a -b', 'sync -a -b'],
  ['a -', 'sync a -'],
  ['watch a wss://nas/b --secret-file k', 'watch a wss://nas/b secret:k'],
  ['./status b', 'sync ./status b'],
  ['serve --config c', 'serve c'],
  ['serve --config=c -logfile l', 'serve c logfile=l'],
  ['serve --stdio --state-dir s', 'stdio state:s'],
  ['invite laptop --root p --config c', 'invite laptop p c 600s'],
  ['invite laptop --root=p --config c --read-only --expires 2h', 'invite laptop p c 7200s read-only'],
  ['join x p --config c', 'join x p c'],
  ['join - p --config c', 'join - p c'],
  ['peers --config c', 'peers all c'],
  ['peers revoke laptop --config c', 'peers laptop c'],
  ['check wss://nas/a --secret-file k', 'check wss://nas/a secret:k'],
  ['sync a ssh://h/b -sshcmd rsh -servercmd t', 'sync a ssh://h/b sshcmd=rsh servercmd=t'],
  ['run --config c', 'run c'],
  ['run -config=c -logfile l --state-dir s', 'run c logfile=l'],
  ['status', 'status 60s'],
  ['status --json --state-dir s', 'status json 60s state:s'],
  ['./stop b', 'sync ./stop b'],
  ['conflicts photos --json', 'conflicts photos json 60s'],
  ['flush', 'flush 60s'],
  ['flush photos --timeout 2.5 --json', 'flush photos json 2.5s'],
  ['pause', 'pause 60s'],
  ['resume photos', 'resume photos 60s'],
  ['run --config f --json', 'run f json'],
  ['rescan photos', 'rescan photos 60s'],
  ['rescan --accept usb/stick photos', 'rescan photos 60s accept:usb/stick'],
  ['rescan --accept=usb --confirm', 'rescan 60s accept:usb confirm'],
  ['rescan --confirm', 'usage'],
  ['sync --accept usb a b --accept d', 'sync a b accept:usb accept:d'],
  ['sync a b --accept usb --confirm', 'sync a b accept:usb confirm'],
  ['watch a b --accept usb', 'usage'],
  ['stop --timeout=5', 'stop 5s'],
  ['log', 'log -'],
  ['doctor', 'doctor'],
  ['doctor a b --config c', 'doctor a b config:c'],
  ['log a/b --json', 'log a/b json'],
  ['restore a/b', 'restore a/b - -'],
  ['restore --at 2h a/b --to=c', 'restore a/b 2h c'],
  ['keygen laptop --out k', 'keygen laptop k'],
  ['--version', 'print 0'],
  ['-version', 'print 0'],
  ['--help', 'print Usage'],
  ['-help', 'print Usage'],
  ['-h', 'print Usage'],
  ['sync --help', 'print Usage'],
  ['serve -help', 'print Usage'],
]
test.each(good)('tandem %s', (typed, understood) => {
  if (understood === 'usage') expect(() => parse(typed)).toThrow(expect.objectContaining({ code: 'usage' }))
  else expect(spoken(parse(typed))).toBe(understood)
})

const bad: [string, string, number, RegExp][] = [
  // what is wrong                    what is typed                 exit  message
  ['no roots', '', 64, /two roots are needed/],
  ['one root', 'sync a', 64, /one was given: a/],
  ['three roots', 'a b c', 64, /3 were given: a b c/],
  ['a misspelt command', 'snyc a b', 64, /did you mean the command sync\?/],
  ['a misspelt command alone', 'keygne', 64, /did you mean the command keygen\?/],
  ['a misspelt option', 'a b --bach', 64, /'--bach'; did you mean --batch\?/],
  ['a misspelt option with one dash', 'a b -bacth', 64, /did you mean -batch\?/],
  ['a misspelt own option', 'a b --statedir=x', 64, /did you mean --state-dir\?/],
  ['an option of nobody', 'a b --frobnicate', 64, /unknown option '--frobnicate'/],
  ['letters in one', 'a b -abc', 64, /unknown option '-abc'/],
  ['three dashes', 'a b ---batch', 64, /unknown option '---batch'/],
  ['an option without a name', 'a b --=x', 64, /unknown option/],
  ['a name of every object', 'a b --constructor x', 64, /unknown option '--constructor'/],
  ['a preference without its value', 'a b --ignore', 64, /--ignore needs a value/],
  ['an own option without its value', 'a b --profile', 64, /--profile needs a value/],
  ['a value where there is none', 'a b --dry-run=yes', 64, /takes no value/],
  ['a dry run for ever', 'watch a b --dry-run', 64, /dry-run/],
  ['serve without its file', 'serve', 64, /--config/],
  ['invite without a directory', 'invite laptop --config c', 64, /--root PATH/],
  ['an invitation for ever', 'invite laptop --root p --config c --expires 9d', 64, /at most 7d/],
  ['an invitation for some time', 'invite laptop --root p --config c --expires soon', 64, /--expires is a time/],
  ['a misspelt word after peers', 'peers revok x --config c', 64, /peers revoke NAME/],
  ['a revocation of nobody', 'peers revoke --config c', 64, /peers revoke NAME/],
  ['check with what belongs to a pair', 'check a --batch', 64, /check takes no --batch/],
  ['serve with two of them', 'serve --stdio --config c', 64, /--stdio takes no --config/],
  ['serve with roots', 'serve --config c a b', 64, /too many arguments/],
  ['serve with what belongs to a pair', 'serve --config c --batch', 64, /serve takes no --batch/],
  ['restore without a path', 'restore', 64, /PATH/],
  ['restore with preferences', 'restore a --times', 64, /restore takes no --times/],
  ['keygen without a name', 'keygen --out k', 64, /NAME/],
  ['keygen without a file', 'keygen laptop', 64, /--out/],
  ['keygen with preferences', 'keygen laptop --out k --times', 64, /keygen takes no --times/],
  ['what is not built', 'a b --merge x', 3, /'merge'/],
  ['what is not built, with one dash and bare', 'a b -fat', 3, /'fat'/],
  ['what is not built, without its value', 'a b -atomic', 3, /'atomic'/],
  ['an alias of what is not built', 'a b -backuplocation local', 3, /'backuplocation'/],
  ['run without its file', 'run', 64, /--config/],
  ['run with roots', 'run --config c a b', 64, /too many arguments/],
  ['run with what belongs in the file', 'run --config c --times', 64, /run takes no --times/],
  ['status of one pair', 'status photos', 64, /too many arguments/],
  ['two pairs', 'flush a b', 64, /too many arguments/],
  ['a time that is none', 'flush --timeout soon', 64, /--timeout is a number of seconds/],
  ['no time', 'stop --timeout 0', 64, /--timeout is a number of seconds/],
  ['a preference for a running agent', 'status --times', 64, /status takes no --times/],
  ['a misspelt command for an agent', 'staus', 64, /did you mean the command status/],
  ['a command that is to come', 'monitor', 3, /'monitor'.*\.\/monitor/],
  ['a command that is to come, with roots', 'why b', 3, /'why'/],
]
test.each(bad)('a command line is refused: %s', (_, typed, code, message) => {
  let caught: unknown
  try {
    parse(typed)
  } catch (error) {
    caught = error
  }
  expect(exitCodeOf(caught)).toBe(code)
  expect(caught).toMatchObject({ message: expect.stringMatching(message) })
})

test('the help names every command and every preference that is built', () => {
  const line = parse('--help')
  const text = line.command === 'print' ? line.text : ''
  for (const word of [
    'sync',
    'watch',
    'serve',
    'run',
    'flush',
    'keygen',
    '--ignorenot',
    '--confirmbigdel',
    'Exit codes',
  ])
    expect(text).toContain(word)
})

/** Words are divided by blanks; # stands for a blank inside a word. */
function parse(typed: string): CommandLine {
  return parseCommandLine(typed === '' ? [] : typed.split(' ').map((word) => word.replaceAll('#', ' ')))
}

function spoken(line: CommandLine): string {
  switch (line.command) {
    case 'print':
      return `print ${line.text.slice(0, line.text.startsWith('Usage') ? 5 : 1)}`
    case 'status':
    case 'conflicts':
    case 'flush':
    case 'pause':
    case 'resume':
    case 'rescan':
    case 'stop':
      return [
        line.command,
        ...(line.pair === undefined ? [] : [line.pair]),
        ...(line.json ? ['json'] : []),
        `${line.timeoutSeconds}s`,
        ...(line.accept === undefined ? [] : [`accept:${line.accept}`]),
        ...(line.command === 'rescan' && line.confirm ? ['confirm'] : []),
        ...(line.stateDir === undefined ? [] : [`state:${line.stateDir}`]),
      ].join(' ')
    case 'stdio':
      return ['stdio', ...(line.stateDir === undefined ? [] : [`state:${line.stateDir}`])].join(' ')
    case 'invite':
      return [
        'invite',
        line.name,
        line.root,
        line.config,
        `${line.expiresSeconds}s`,
        ...(line.readOnly ? ['read-only'] : []),
      ].join(' ')
    case 'join':
      return ['join', line.line, line.root, line.config].join(' ')
    case 'peers':
      return ['peers', line.revoke ?? 'all', line.config].join(' ')
    case 'check':
      return ['check', line.root, ...(line.secretFile === undefined ? [] : [`secret:${line.secretFile}`])].join(' ')
    case 'keygen':
      return `keygen ${line.name} ${line.out}`
    case 'doctor':
      return ['doctor', ...line.roots, ...(line.config === undefined ? [] : [`config:${line.config}`])].join(' ')
    case 'log':
      return ['log', line.path ?? '-', ...(line.json ? ['json'] : [])].join(' ')
    case 'restore':
      return ['restore', line.path, line.at ?? '-', line.to ?? '-'].join(' ')
    case 'run':
    case 'serve':
      return [
        line.command,
        line.config,
        ...line.preferences.map((one) => `${one.name}=${one.value}`),
        ...(line.json ? ['json'] : []),
      ].join(' ')
    default:
      return [
        line.command,
        ...line.roots,
        ...line.preferences.map((one) => `${one.name}=${one.value}`),
        ...(line.profile === undefined ? [] : [`profile:${line.profile}`]),
        ...(line.stateDir === undefined ? [] : [`state:${line.stateDir}`]),
        ...(line.secretFile === undefined ? [] : [`secret:${line.secretFile}`]),
        ...(line.dryRun ? ['dry'] : []),
        ...(line.json ? ['json'] : []),
        ...(line.mirror ? ['mirror'] : []),
        ...line.accept.map((path) => `accept:${path}`),
        ...(line.confirm ? ['confirm'] : []),
      ].join(' ')
  }
}
