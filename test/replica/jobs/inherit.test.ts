import * as fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import type { Operation } from '../../../src/core/operation.js'
import { relPath } from '../../../src/core/path.js'
import { type FileCode, FileFailure } from '../../../src/host/files.js'
import { recoverJob } from '../../../src/replica/jobs/recover.js'
import { BytesWriter } from '../../../src/wire/bytes.js'
import { writeWantProps } from '../../../src/wire/pack.js'
import {
  aclOf,
  attributeOf,
  groupTag,
  maskTag,
  namedGroupTag,
  othersTag,
  ownerTag,
  setAttribute,
} from '../../host/node/attributes.js'
import { isRoot } from '../../host/node/fixture.js'
import { type Fixture, freshRoot, makeDirectory, newProps, oldNs, writeFile } from './fixture.js'
import { Crash } from './stepping.js'

const group = 4_321
const accessName = 'system.posix_acl_access'
const defaultName = 'system.posix_acl_default'
const ownGroup = process.getegid?.() ?? 0

/** Of a directory that a group shares: what is made in it is the group's to write. */
const sharedList = aclOf([
  [ownerTag, 7],
  [groupTag, 5],
  [namedGroupTag, 7, group],
  [maskTag, 7],
  [othersTag, 0],
])

const link = (path: string): Operation => ({ op: 'write-symlink', path: relPath(path), expect: absent, target: 'x' })

const directoryOfAnyMode = (path: string): Operation => ({
  op: 'create-directory',
  path: relPath(path),
  expect: absent,
  props: { mode: undefined, mtimeNs: undefined },
})

/** A root with a directory `d`. */
function withDirectory(change: (path: string) => void): Fixture {
  const root = freshRoot()
  fs.mkdirSync(root.abs('d'))
  change(root.abs('d'))
  root.scan(['d'])
  return root
}

function setgid(path: string): void {
  fs.chownSync(path, -1, group)
  fs.chmodSync(path, 0o2775)
}

/** Whether a call renames from one side of `mount` to the other. */
function crossesInto(mount: string, call: string, path: string): boolean {
  return call.startsWith('rename') && path.split(' -> ').filter((end) => end.startsWith(mount)).length === 1
}

const failure = (is: boolean, code: FileCode) => (is ? new FileFailure(code, 'x', 'y', 'E') : undefined)

describe.skipIf(!isRoot)('S2-23: the group, where the directory hands it down (only root has groups to give)', () => {
  test('to a file and a link; mode and time are those that were agreed, and the index knows the stamp', () => {
    const root = withDirectory(setgid)
    const applied = root.apply(
      [writeFile('d/f', absent, 0, 'f'), link('d/l'), writeFile('g', absent, 1, 'g')],
      ['f', 'g'],
    )
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done'])
    expect(applied.notes).toEqual([])
    expect(applied.dirty).toEqual([])
    for (const path of ['d/f', 'd/l']) expect(root.stat(path).gid, path).toBe(group)
    expect(root.stat('g').gid).toBe(ownGroup)
    expect(root.stat('d/f')).toMatchObject({ mode: 0o640, mtimeNs: oldNs + 1n })
    expect(root.record('d/f')).toMatchObject({ racy: false, ctimeNs: root.stat('d/f').ctimeNs })
  })

  test('to what comes into directories that the batch makes below it', () => {
    const root = withDirectory(setgid)
    root.apply(
      [makeDirectory('d/e'), makeDirectory('d/e/h'), writeFile('d/e/f', absent, 0, 'f'), link('d/e/h/l')],
      ['f'],
    )
    for (const path of ['d/e', 'd/e/f', 'd/e/h/l']) expect(root.stat(path).gid, path).toBe(group)
  })

  test('to a file whose properties came with its bytes', () => {
    const root = withDirectory(setgid)
    const props = new BytesWriter()
    writeWantProps(props, 0, newProps)
    root.stage(['f'], root.nextBatch(), props.finish())
    root.apply([writeFile('d/f', absent, 0, 'f')], [], root.batch)
    expect(root.stat('d/f')).toMatchObject({ gid: group, mode: 0o640, mtimeNs: oldNs + 1n })
  })

  test('and not where the directory does not, though the root does', () => {
    const root = withDirectory(() => {})
    setgid(root.root)
    root.restart()
    // Staging is made afresh in a root that hands its group down.
    fs.rmSync(root.abs('.tandem'), { recursive: true })
    root.restart()
    root.scan([''])
    root.apply([writeFile('d/f', absent, 0, 'f'), link('d/l'), writeFile('g', absent, 1, 'g')], ['f', 'g'])
    expect(root.stat('g').gid).toBe(group)
    for (const path of ['d/f', 'd/l']) expect(root.stat(path).gid, path).toBe(ownGroup)
  })

  test('what replaces a file takes its group from that file', () => {
    const root = withDirectory(setgid)
    root.write('d/f', 'old')
    fs.chownSync(root.abs('d/f'), -1, 77)
    root.scan(['d/f'])
    root.apply([writeFile('d/f', root.content('d/f'), 0, 'new')], ['new'])
    expect(root.stat('d/f').gid).toBe(77)
  })

  test('through staging beside the target', () => {
    const root = withDirectory((path) => fs.mkdirSync(`${path}/e`))
    setgid(root.abs('d/e'))
    root.scan(['d/e'])
    root.trap.fail((call, path) => failure(crossesInto(root.abs('d/'), call, path), 'crosses'))
    const applied = root.apply([writeFile('d/e/f', absent, 0, 'f'), link('d/e/l'), link('d/l')], ['f'])
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done'])
    for (const path of ['d/e/f', 'd/e/l']) expect(root.stat(path).gid, path).toBe(group)
    expect(root.stat('d/l').gid).toBe(ownGroup)
    expect(root.stat('d/e/f')).toMatchObject({ mode: 0o640, mtimeNs: oldNs + 1n })
  })

  test('to what a crash cut off: it was taken before it was intended', () => {
    const root = withDirectory(setgid)
    root.trap.before('rename:no-replace', 1, () => {
      throw new Crash()
    })
    expect(() => root.apply([writeFile('d/f', absent, 0, 'f'), link('d/l')], ['f'])).toThrow(Crash)
    const staged = root
      .slots('in')
      .map((slot) => fs.lstatSync(root.abs(`.tandem/stage/${root.place.folder}/in/${slot}`)))
    expect(staged.map(({ gid }) => gid)).toEqual([group, group])
    root.restart()
    recoverJob.run(root.world, { place: root.place, locks: root.locks })
    root.apply([writeFile('d/f', absent, 0, 'f'), link('d/l')], ['f'])
    for (const path of ['d/f', 'd/l']) expect(root.stat(path).gid, path).toBe(group)
  })

  test('where it cannot be taken the content comes all the same, and what is missing is told', () => {
    const root = withDirectory(setgid)
    root.trap.fail((call) => failure(call === 'setGroup', 'not-permitted'))
    const applied = root.apply([writeFile('d/f', absent, 0, 'f'), link('d/l')], ['f'])
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(['done', 'done'])
    expect(applied.notes).toEqual([{ path: 'd/l', detail: expect.stringContaining(`group ${group}`) }])
    expect(root.tree()).toMatchObject({ 'd/f': 'f', 'd/l': '-> x' })
  })

  test('where the directory cannot be looked at, what comes into it comes as it was staged', () => {
    const root = withDirectory(setgid)
    root.trap.fail((call) => failure(call === 'handsDown', 'io'))
    const applied = root.apply([writeFile('d/f', absent, 0, 'f')], ['f'])
    expect(applied.outcomes).toMatchObject([{ kind: 'done' }])
    expect(root.stat('d/f').gid).toBe(ownGroup)
  })
})

describe('S2-23: the default access control list of the directory', () => {
  test('a new file has it, and the mode that was agreed holds exactly: its group bits are the mask', (context) => {
    const root = withDirectory(() => {})
    if (!setAttribute(root.abs('d'), defaultName, sharedList)) return context.skip('no access control lists here')
    const applied = root.apply(
      [
        writeFile('d/f', absent, 0, 'f'),
        writeFile('d/open', absent, 1, 'open', { mode: 0o666, mtimeNs: oldNs }),
        makeDirectory('d/e'),
        writeFile('d/e/f', absent, 2, 'below'),
        writeFile('plain', absent, 3, 'plain'),
      ],
      ['f', 'open', 'below', 'plain'],
    )
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(Array(5).fill('done'))
    const list = (mask: number, others: number) =>
      aclOf([
        [ownerTag, 6],
        [groupTag, 5],
        [namedGroupTag, 7, group],
        [maskTag, mask],
        [othersTag, others],
      ])
    for (const path of ['d/f', 'd/e/f']) {
      expect(attributeOf(root.abs(path), accessName), path).toEqual(list(4, 0))
      expect(root.stat(path), path).toMatchObject({ mode: 0o640, mtimeNs: oldNs + 1n })
    }
    expect(attributeOf(root.abs('d/open'), accessName)).toEqual(list(6, 6))
    expect(root.stat('d/open').mode).toBe(0o666)
    expect(attributeOf(root.abs('plain'), accessName)).toBeUndefined()
    // As the kernel itself would have it.
    fs.closeSync(fs.openSync(root.abs('d/native'), 'wx', 0o640))
    expect(attributeOf(root.abs('d/native'), accessName)).toEqual(list(4, 0))
  })

  test('where no mode is agreed, the list says what the mode of a new file or directory is', (context) => {
    const root = withDirectory(() => {})
    if (!setAttribute(root.abs('d'), defaultName, sharedList)) return context.skip('no access control lists here')
    root.apply(
      [
        writeFile('d/f', absent, 0, 'f', { mode: undefined, mtimeNs: undefined }),
        directoryOfAnyMode('d/e'),
        directoryOfAnyMode('d/e/e'),
      ],
      ['f'],
    )
    fs.closeSync(fs.openSync(root.abs('d/native'), 'wx', 0o666))
    fs.mkdirSync(root.abs('d/natives'))
    expect(root.stat('d/f').mode).toBe(root.stat('d/native').mode)
    for (const path of ['d/e', 'd/e/e']) {
      expect(root.stat(path).mode, path).toBe(root.stat('d/natives').mode)
      expect(attributeOf(root.abs(path), accessName), path).toEqual(attributeOf(root.abs('d/natives'), accessName))
    }
    expect(attributeOf(root.abs('d/f'), accessName)).toEqual(attributeOf(root.abs('d/native'), accessName))
  })

  test('through staging beside the target, and a file in a directory without one gets none', (context) => {
    const root = withDirectory(() => {})
    if (!setAttribute(root.abs('d'), defaultName, sharedList)) return context.skip('no access control lists here')
    fs.mkdirSync(root.abs('d/e'))
    fs.mkdirSync(root.abs('d/bare'))
    // Kept from the directory above: what is made here is nobody's but its owner's.
    setAttribute(
      root.abs('d/bare'),
      defaultName,
      aclOf([
        [ownerTag, 7],
        [groupTag, 5],
        [othersTag, 5],
      ]),
    )
    root.scan(['d/e', 'd/bare'])
    root.trap.fail((call, path) => failure(crossesInto(root.abs('d/'), call, path), 'crosses'))
    const applied = root.apply(
      [writeFile('d/e/f', absent, 0, 'f'), writeFile('d/bare/f', absent, 1, 'bare')],
      ['f', 'bare'],
    )
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(['done', 'done'])
    expect(attributeOf(root.abs('d/e/f'), accessName)).toBeDefined()
    expect(attributeOf(root.abs('d/bare/f'), accessName)).toBeUndefined()
    for (const path of ['d/e/f', 'd/bare/f']) expect(root.stat(path).mode, path).toBe(0o640)
  })
})

describe('S2-23: what it costs', () => {
  test('each directory is looked at once, staging once, and no file is opened for it where nothing is handed down', () => {
    const root = withDirectory(() => {})
    fs.mkdirSync(root.abs('d/e'))
    root.scan(['d/e'])
    const paths = ['d', 'd/e', 'd/new', 'd/new/below'].flatMap((at) => [0, 1, 2, 3].map((file) => `${at}/${file}`))
    const operations = [
      makeDirectory('d/new'),
      makeDirectory('d/new/below'),
      ...paths.map((path, want) => writeFile(path, absent, want, path)),
    ]
    const props = new BytesWriter()
    for (const want of paths.keys()) writeWantProps(props, want, newProps)
    root.stage(paths, root.nextBatch(), props.finish())
    root.trap.calls.length = 0
    const applied = root.apply(operations, [], root.batch)
    expect(applied.outcomes.every(({ kind }) => kind === 'done')).toBe(true)
    const looks = root.trap.calls.filter(({ call }) => call === 'handsDown').map(({ path }) => path)
    const staging = root.abs(`.tandem/stage/${root.place.folder}/in`)
    expect(looks.sort()).toEqual([staging, root.abs('d'), root.abs('d/e')].sort())
    const perFile = ['inherit', 'setGroup', 'fchmod', 'reopenFile', 'fstat']
    expect(root.trap.calls.filter(({ call, path }) => perFile.includes(call) && path.includes('/in/'))).toEqual([])
  })

  test('nor where staging was handed the very same', (context) => {
    const root = freshRoot()
    if (!setAttribute(root.root, defaultName, sharedList)) return context.skip('no access control lists here')
    root.restart()
    fs.rmSync(root.abs('.tandem'), { recursive: true })
    root.restart()
    fs.mkdirSync(root.abs('d'))
    root.scan(['d'])
    root.trap.calls.length = 0
    root.apply([writeFile('d/f', absent, 0, 'f')], ['f'])
    expect(root.trap.calls.filter(({ call }) => call === 'inherit')).toEqual([])
    fs.closeSync(fs.openSync(root.abs('d/native'), 'wx', 0o640))
    expect(attributeOf(root.abs('d/f'), accessName)).toEqual(attributeOf(root.abs('d/native'), accessName))
    expect(root.stat('d/f')).toMatchObject({ gid: root.stat('d/native').gid, mode: 0o640 })
  })
})
