import * as fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Operation, Outcome } from '../../src/core/operation.js'
import { relPath } from '../../src/core/path.js'
import { digestOf } from '../../src/replica/jobs/digest.js'
import { identifyJob } from '../../src/replica/jobs/identify.js'
import { scanJob } from '../../src/replica/jobs/scan.js'
import { supplyCloseJob, supplyOpenJob } from '../../src/replica/jobs/supply.js'
import { wantList } from '../../src/wire/list.js'
import { type Fixture, freshRoot, makeDirectory, newProps, remove, writeFile } from '../replica/jobs/fixture.js'

const secret = 'what the agent may read and its peer may not'
/** A name that is only outside. */
const outside = 'only-outside'
/** In hex: the digest of what is outside, its bytes, and a name. */
const secrets = [
  digestOf(Buffer.from(secret)).slice('sha256:'.length),
  ...[secret, outside].map((text) => Buffer.from(text).toString('hex')),
]
const ownText = 'the user\u2019s own text, of another length'

/**
 * The root has a directory `d`, a link `l` to a folder outside, and somebody who exchanges the two as fast as a thread can.
 * All that a peer may ask for goes on below `d` meanwhile, for so long.
 */
export function describeRaces(raceSeconds: number): void {
  test('T2, T16: while a directory and a link out of the root are exchanged nothing outside is made, changed, removed or read', {
    timeout: (raceSeconds + 60) * 1_000,
  }, async () => {
    const root = freshRoot()
    const canary = root.abs('../canary')
    fs.mkdirSync(`${canary}/sub`, { recursive: true })
    for (const name of ['a', 'b', 'sub/c', outside]) fs.writeFileSync(`${canary}/${name}`, secret)
    const before = stateOf(canary)
    for (const name of ['a', 'b', 'sub/c']) root.write(`d/${name}`, ownText)
    root.scan(['d/a', 'd/b', 'd/sub/c'])
    fs.symlinkSync('../canary', root.abs('l'))

    const stopFlipping = flip(root)
    const outcomes = { done: 0, superseded: 0, failed: 0 }
    let rounds = 0
    try {
      const end = performance.now() + raceSeconds * 1_000
      for (; performance.now() < end; rounds++) {
        for (const { kind } of [...round(root, rounds), ...moves(root, rounds)]) outcomes[kind]++
        const said = [...told(root), supplied(root, canary)].map((bytes) => Buffer.from(bytes).toString('hex'))
        for (const one of secrets) expect(said.filter((text) => text.includes(one))).toEqual([])
      }
    } finally {
      expect(await stopFlipping()).toBeGreaterThan(100)
    }
    expect(stateOf(canary)).toEqual(before)
    // The race was one: some of it hit the directory and some the link.
    expect(outcomes.done).toBeGreaterThan(0)
    expect(outcomes.superseded + outcomes.failed).toBeGreaterThan(0)
  })
}

function round(root: Fixture, count: number): readonly Outcome[] {
  const contents = ['d/a', 'd/b', 'd/sub/c'].map((path) => contentNow(root, path))
  const [a = absent, b = absent, c = absent] = contents
  const p = relPath(`d/a`)
  const operations: Operation[] = [
    writeFile(`d/new-${count % 7}`, absent, 0, 'planted'),
    makeDirectory(`d/made-${count % 7}`),
    makeDirectory(`d/made-${count % 7}/deeper`),
    { op: 'write-symlink', path: relPath(`d/link-${count % 7}`), expect: absent, target: '/etc' },
    a.kind === 'absent' ? writeFile('d/a', absent, 1, 'planted') : writeFile('d/a', a, 1, `planted ${count}`),
    { op: 'set-props', path: p, expect: a, props: { ...newProps, mode: 0o600 + (count % 8) } },
    remove('d/b', b),
    remove('d/sub/c', c),
    ...Array.from({ length: 7 }, (_, at) => remove(`d/new-${at}`, contentNow(root, `d/new-${at}`))),
    ...Array.from({ length: 7 }, (_, at) => remove(`d/made-${at}`, { kind: 'directory', props: newProps })),
  ]
  const { outcomes } = root.apply(operations, ['planted', a.kind === 'absent' ? 'planted' : `planted ${count}`])
  // What was removed comes back, so that the next round has something to remove.
  for (const name of ['b', 'sub/c']) {
    try {
      fs.writeFileSync(root.abs(`d/${name}`), ownText, { flag: 'wx' })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
    }
  }
  return outcomes
}

/** Out of the directory and into it: nothing outside goes along, and nothing comes there. */
function moves(root: Fixture, count: number): readonly Outcome[] {
  if (!fs.existsSync(root.abs('give'))) root.write('give', ownText)
  // Only what is known can be moved.
  root.scan(['give'])
  const { outcomes } = root.apply([
    { op: 'rename', path: relPath(`out-${count}`), from: relPath('d/a'), expect: contentNow(root, 'd/a') },
    { op: 'rename', path: relPath(`d/in-${count}`), from: relPath('give'), expect: contentNow(root, 'give') },
  ])
  return outcomes
}

/** What the peer would be told: files that are read to be told of, and a scan of the directory. */
function told(root: Fixture): readonly Uint8Array[] {
  const paths = ['d/a', 'd/b', 'd/sub/c'].map(relPath)
  const identified = identifyJob.run(root.world, { place: root.place, paths })
  const targets = [{ directory: relPath('d'), names: undefined, placed: true, settled: [] }]
  const scanned = scanJob.run(root.world, { place: root.place, targets, full: true, sealing: true, reporting: true })
  return [identified.reports, scanned.reports]
}

/** What the peer would get that asks for what is outside by its size and time, and for what is not inside at all. */
function supplied(root: Fixture, canary: string): Uint8Array {
  const { size, mtimeNs } = fs.statSync(`${canary}/a`, { bigint: true })
  const wants = ['d/a', 'd/b', 'd/sub/c', `d/${outside}`].map((path, want) => ({
    want,
    path: relPath(path),
    sizeBytes: Number(size),
    mtimeNs,
    fingerprint: undefined,
  }))
  const stream = 'race'
  const pack = supplyOpenJob.run(root.world, { place: root.place, stream, wants: wantList.toBytes(wants) })
  if (!pack.ended) supplyCloseJob.run(root.world, { stream })
  return pack.bytes
}

function contentNow(root: Fixture, path: string): Content {
  try {
    return root.content(path)
  } catch {
    // Flipped away this very moment.
    return absent
  }
}

function flip(root: Fixture): () => Promise<number> {
  const stop = new SharedArrayBuffer(4)
  const workerData = { directory: root.abs('d'), link: root.abs('l'), aside: root.abs('d.aside'), stop }
  const worker = new Worker(new URL('./fixtures/flip.mjs', import.meta.url), { workerData })
  const flips = new Promise<number>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return async () => {
    Atomics.store(new Int32Array(stop), 0, 1)
    return await flips
  }
}

/** Names, bytes, modes and times of everything in a folder. */
function stateOf(folder: string): unknown {
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = `${entry.parentPath}/${entry.name}`
    const { mode, mtimeNs, ino } = fs.lstatSync(path, { bigint: true })
    return [path, mode, mtimeNs, ino, entry.isFile() ? fs.readFileSync(path, 'utf8') : '']
  })
}
