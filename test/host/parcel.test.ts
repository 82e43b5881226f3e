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

const rows: [what: string, events: Event[], batch: string][] = [
  ['nothing', [], ''],
  ['a file in the root: the whole root, for it may stand for anything in it', events('update /r/f'), '/**'],
  ['a file in a directory', events('create /r/a/b/f'), 'a/b/**'],
  ['siblings are one directory', events('create /r/a/f', 'update /r/a/g', 'delete /r/a/h'), 'a/**'],
  ['the root itself', events('update /r'), '/'],
  ['the root removed', events('delete /r'), 'gone'],
  ['the private folder', events('create /r/.tandem', 'update /r/.tandem/stage/x'), ''],
  ['a folder whose name begins like the private one', events('create /r/.tandem-x/f'), '.tandem-x/**'],
  ['a path of elsewhere', events('create /rest/f'), 'lost'],
]
test.each(rows)('parcel: %s', (_, list, spoken) => {
  const batch = batchOf(absPath('/r'), list)
  const words = batch.dirty.map((one) => (one.depth === 'subtree' ? `${one.path}/**` : `${one.path}/`))
  if (batch.lost) words.push('lost')
  if (batch.gone) words.push('gone')
  expect(words.join(' ')).toBe(spoken)
})

test('parcel: a root of all is no exception', () => {
  expect(batchOf(absPath('/'), events('update /etc/passwd')).dirty.map((one) => one.path)).toEqual(['etc'])
})
