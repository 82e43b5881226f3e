import { expect, test } from 'vitest'
import { absPath } from '../../src/core/path.js'
import { batchOf } from '../../src/host/node/parcel.js'

type Event = Parameters<typeof batchOf>[1][number]

/** 'create /r/a/b' */
function events(...lines: string[]): Event[] {
  return lines.map((line) => {
    const [type = '', path = ''] = line.split(' ')
    if (type !== 'create' && type !== 'update' && type !== 'delete') throw new Error(line)
    return { type, path }
  })
}

/** Directories are those whose last name begins with d. */
const isDirectory = (path: string): boolean => /\/d[^/]*$/.test(path)
const crowd = Array.from({ length: 65 }, (_, at) => `create /r/a/f${at}`)

const rows: [what: string, events: Event[], batch: string][] = [
  // what                                  events                                                       batch
  ['nothing', [], ''],
  ['a file in the root', events('update /r/f'), '/*'],
  ['a new file in a directory', events('create /r/a/b/f'), 'a/b/*'],
  ['siblings are one directory', events('create /r/a/f', 'update /r/a/g', 'delete /r/a/h'), 'a/*'],
  ['a new directory', events('create /r/a/d'), 'a/* a/d/**'],
  ['a directory that changed: it may be another one', events('update /r/a/d'), 'a/* a/d/**'],
  ['a directory that went', events('delete /r/a/d'), 'a/*'],
  ['more new files than are looked at', events(...crowd), 'a/**'],
  ['the root itself', events('update /r'), '/'],
  ['the root removed', events('delete /r'), 'gone'],
  ['the private folder', events('create /r/.tandem', 'update /r/.tandem/stage/x'), ''],
  ['a folder whose name begins like the private one', events('create /r/.tandem-x/f'), '.tandem-x/*'],
  ['a path of elsewhere', events('create /rest/f'), 'lost'],
  ['a path that cannot be one', events('create /r/a//f'), 'lost'],
  ['a file whose name was garbled', events('update /r/a/\ufffd'), 'a/**'],
  ['a file below a garbled directory', events('update /r/a/\ufffd/b/f'), 'a/**'],
]
test.each(rows)('parcel: %s', (_, list, spoken) => {
  const batch = batchOf(absPath('/r'), list, isDirectory)
  const ends = { entry: '/', members: '/*', subtree: '/**' }
  const words = batch.dirty.map((one) => `${one.path}${ends[one.depth]}`)
  if (batch.lost) words.push('lost')
  if (batch.gone) words.push('gone')
  expect(words.join(' ')).toBe(spoken)
})

test('parcel: a root of all is no exception', () => {
  const { dirty } = batchOf(absPath('/'), events('update /etc/passwd'), isDirectory)
  expect(dirty.map((one) => one.path)).toEqual(['etc'])
})
