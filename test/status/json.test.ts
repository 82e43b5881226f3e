import { expect, test } from 'vitest'
import { decodeName, relPath } from '../../src/core/path.js'
import { jsonLine } from '../../src/status/json.js'
import { Tally } from '../../src/status/tally.js'
import { versionOf } from '../../src/status/version.js'

test('an event is one line that is safe to show and reads back exactly', () => {
  const path = relPath(decodeName(Buffer.from('a\n\x1b[2J\u202e\xff', 'latin1')))
  const line = jsonLine({ event: 'path-applied', pair: 'p', path, to: 'beta', what: 'created', bytes: 2 }, 0)
  expect(line).toMatch(/^[\x20-\x7e]+$/)
  expect(JSON.parse(line)).toEqual({
    version: 1,
    time: '1970-01-01T00:00:00.000Z',
    event: 'path-applied',
    pair: 'p',
    path,
    to: 'beta',
    what: 'created',
    bytes: 2,
  })
})

test('a version of a conflict keeps the time to the nanosecond, and is plain JSON', () => {
  const props = { mode: 0o644, mtimeNs: 1_700_000_000_123_456_789n }
  const version = versionOf({ kind: 'file', fingerprint: undefined, sizeBytes: 5, props }, 'changed')
  expect(JSON.parse(JSON.stringify(version))).toEqual({
    change: 'changed',
    kind: 'file',
    sizeBytes: 5,
    mtimeNs: '1700000000123456789',
  })
  expect(versionOf({ kind: 'absent' }, 'deleted')).toEqual({ change: 'deleted', kind: 'absent' })
})

test('a tally counts what was done', () => {
  const tally = new Tally()
  for (const what of ['created', 'replaced', 'removed', 'moved', 'properties'] as const)
    tally.note({ event: 'path-applied', pair: 'p', path: relPath('f'), to: 'beta', what, bytes: 3 })
  expect(tally).toMatchObject({ copied: 2, deleted: 1, moved: 1, properties: 1, bytes: 15 })
})
