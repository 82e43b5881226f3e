import { expect, test } from 'vitest'
import { ConfigFailure } from '../../src/config/config.js'
import { parseProfile } from '../../src/config/profile.js'

const good: [string, string, string[]][] = [
  // what the line is                          text                                   name=value @line
  ['a flag', 'batch = true', ['batch=true@p:1']],
  ['blanks around both are dropped', '  \tbatch\t =  true \t', ['batch=true@p:1']],
  ['no blanks at all', 'batch=true', ['batch=true@p:1']],
  ['the first = splits', 'ignore = Name a=b', ['ignore=Name a=b@p:1']],
  ['blanks inside a value stay', 'ignore = Name a  b', ['ignore=Name a  b@p:1']],
  ['comments and blank lines are left out', '# hello\n\n   # there\nbatch = true', ['batch=true@p:4']],
  ['a # inside a value belongs to it', 'ignore = Name #*#', ['ignore=Name #*#@p:1']],
  ['carriage returns are dropped', 'batch = true\r\ntimes = false\r\n', ['batch=true@p:1', 'times=false@p:2']],
  ['a byte order mark is dropped', '\ufeffbatch = true', ['batch=true@p:1']],
  ['a list is given several times', 'ignore = Name a\nignore = Name b', ['ignore=Name a@p:1', 'ignore=Name b@p:2']],
  ['an empty value', 'path =', ['path=@p:1']],
  ['roots', 'root = /a\nroot = /b b', ['root=/a@p:1', 'root=/b b@p:2']],
  ['nothing', '', []],
]
test.each(good)('a profile line: %s', (_, text, spoken) => {
  expect(parseProfile(text, 'p').map((one) => `${one.name}=${one.value}@${one.from}`)).toEqual(spoken)
})

const bad: [string, string, string, RegExp][] = [
  // what is wrong              text                       code              message
  ['an unknown name', 'batch = true\nbach = true', 'bad-preference', /^p:2: .*'bach'.*did you mean 'batch'/],
  ['a name in other letters', 'Batch = true', 'bad-preference', /^p:1: .*did you mean 'batch'/],
  ['no equals sign', 'batch true', 'bad-profile', /^p:1: 'batch true' has no '='/],
  ['known and not built', '\n\nmerge = Name * -> x', 'not-built', /^p:3: .*'merge'/],
  ['an alias of what is not built', 'backuplocation = local', 'not-built', /'backuplocation'/],
  ['include as a directive', 'include common', 'not-built', /'include'/],
  ['include that may be missing', 'include? common', 'not-built', /'include'/],
  ['source as a preference', 'source = common', 'not-built', /'source'/],
  ['what belongs on the command line', 'version = true', 'bad-profile', /command line only/],
  ['a name of every object', 'constructor = 1', 'bad-preference', /'constructor'/],
]
test.each(bad)('a profile is refused for %s', (_, text, code, message) => {
  const failure = failureOf(() => parseProfile(text, 'p'))
  expect(failure.code).toBe(code)
  expect(failure.message).toMatch(message)
})

function failureOf(act: () => unknown): ConfigFailure {
  try {
    act()
  } catch (error) {
    if (error instanceof ConfigFailure) return error
    throw error
  }
  throw new Error('it was taken')
}
