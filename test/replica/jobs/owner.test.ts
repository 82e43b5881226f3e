import { expect, test } from 'vitest'
import { absPath } from '../../../src/core/path.js'
import type { Machine, ProcessFacts } from '../../../src/host/host.js'
import { lifeOf, type Owner, ownerHere, ownerText, parseOwner } from '../../../src/replica/jobs/owner.js'

const lock = { path: absPath('/state/roots/r/stage-f'), device: 2049n, inode: 77n }

const here: Machine = {
  hostName: 'nas',
  pid: 12,
  uid: 0,
  bootId: 'boot-1',
  bootKnown: true,
  machineId: 'm',
  pidNamespace: 'pid:[1]',
  homeDirectory: absPath('/'),
  platform: 'linux',
  kernel: '6.1.0',
  filesystemAt: () => undefined,
  mountsBelow: () => [],
  networkSign: () => '',
  processAt: (pid) => (pid === 12 ? { began: '500' } : undefined),
}

const owner: Owner = {
  host: 'nas',
  pid: 12,
  machine: 'm',
  boot: 'boot-1',
  namespace: 'pid:[1]',
  began: '500',
  lock,
}

const text =
  '{"version":1,"host":"nas","pid":12,"machine":"m","boot":"boot-1","namespace":"pid:[1]","began":"500",' +
  '"lock":{"path":"/state/roots/r/stage-f","device":"2049","inode":"77"}}\n'

test('the owner of a folder, pinned', () => {
  expect(ownerHere(here, lock)).toEqual(owner)
  expect(ownerText(owner)).toBe(text)
  expect(parseOwner(text)).toEqual(owner)
})

test('what is hidden is told as nothing; a path keeps its bytes', () => {
  const hidden: Machine = {
    ...here,
    bootKnown: false,
    machineId: undefined,
    pidNamespace: undefined,
    processAt: () => ({ began: undefined }),
  }
  const odd = { ...lock, path: absPath('/state/\udcff') }
  const told = ownerHere(hidden, odd)
  expect(told).toMatchObject({ boot: undefined, machine: undefined, namespace: undefined, began: undefined })
  expect(parseOwner(ownerText(told))).toEqual(told)
})

test('a record that was cut off or damaged is none, one of a later version says so', () => {
  for (let length = 0; length < text.length - 1; length++) expect(parseOwner(text.slice(0, length))).toBeUndefined()
  for (const bad of ['null', '[]', '{}', text.replace('12', '-1'), text.replace('12', '"12"'), text.replace('77', 'x')])
    expect(parseOwner(bad), bad).toBeUndefined()
  expect(parseOwner(text.replace('/state', 'state'))).toBeUndefined()
  expect(parseOwner(text.replace('"version":1', '"version":0'))).toBeUndefined()
  expect(parseOwner('{"version":2,"who":"knows"}')).toBe('newer')
})

type Lock = 'held' | 'free' | undefined
const away = undefined
const none = undefined
const there: ProcessFacts = { began: '500' }
const later: ProcessFacts = { began: '900' }
const hidden: ProcessFacts = { began: undefined }
const rebooted = { bootId: 'boot-2' }
const elsewhere = { bootId: 'boot-2', machineId: 'other' }
const cloned = { bootId: 'boot-2', hostName: 'nas-2' }
const noId = { bootId: 'boot-2', machineId: undefined }
const container = { pidNamespace: 'pid:[2]' }
const noNamespace = { pidNamespace: undefined }
const noBoot = { bootId: 'unknown-1', bootKnown: false }

type Row = [
  what: string,
  who: Partial<Machine>,
  shared: 'own' | 'shared',
  lock: Lock,
  at: ProcessFacts | undefined,
  life: string,
]
const rows: Row[] = [
  // what is so                                         here         disk      lock    its pid  life
  ['its lock is held', {}, 'own', 'held', none, 'alive'],
  ['its lock is free, its pid is another process', {}, 'own', 'free', there, 'gone'],
  ['no lock to ask, the process is there', {}, 'own', away, there, 'alive'],
  ['no lock to ask, the pid is nobody', {}, 'own', away, none, 'gone'],
  ['no lock to ask, the pid was used again', {}, 'own', away, later, 'gone'],
  ['no lock to ask, starts are hidden', {}, 'own', away, hidden, 'alive'],
  ['the same on a shared disk, process there', {}, 'shared', away, there, 'alive'],
  ['the same on a shared disk, nobody', {}, 'shared', away, none, 'gone'],
  ['the machine was started again', rebooted, 'own', 'held', there, 'gone'],
  ['the machine was started again, shared disk', rebooted, 'shared', away, there, 'gone'],
  ['the disk came from another machine', elsewhere, 'own', away, there, 'gone'],
  ['another machine on a shared disk', elsewhere, 'shared', away, none, 'unclear'],
  ['a machine of the same id with another name', cloned, 'shared', away, none, 'unclear'],
  ['machines have no ids, shared disk', noId, 'shared', away, none, 'unclear'],
  ['machines have no ids, own disk', noId, 'own', away, none, 'gone'],
  ['another container, its lock is held', container, 'own', 'held', none, 'alive'],
  ['another container, its lock is free', container, 'own', 'free', there, 'gone'],
  ['another container, no lock to ask', container, 'own', away, none, 'unclear'],
  ['namespaces are hidden, no lock to ask', noNamespace, 'own', away, none, 'unclear'],
  ['boot ids are hidden, its lock is held', noBoot, 'own', 'held', none, 'alive'],
  ['boot ids are hidden, its lock is free', noBoot, 'own', 'free', none, 'gone'],
  ['boot ids are hidden, no lock to ask', noBoot, 'own', away, none, 'unclear'],
]
test.each(rows)('%s', (_, who, shared, held, at, life) => {
  const machine = { ...here, ...who, processAt: () => at }
  expect(lifeOf(owner, machine, shared === 'shared', () => held).kind).toBe(life)
})
