import * as fc from 'fast-check'
import { absent, type Content } from '../../src/core/content.js'
import { join, parentOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { Side } from '../../src/core/side.js'
import { Archive, type Disk, Disk as MemoryDisk, type Pair } from './disk.js'
import { directory, file } from './fixtures.js'
import type { Node } from './model.js'

/** One step of a user on one side. */
export interface Step {
  readonly side: Side | 'both'
  readonly path: RelPath
  readonly content: Content | 'touch' | 'chmod'
  readonly mode: number
  readonly mtimeNs: bigint
}

const names = ['a', 'b', 'c']
const paths: RelPath[] = names.flatMap((one) => [
  relPath(one),
  ...names.flatMap((two) => [
    relPath(`${one}/${two}`),
    ...names.slice(0, 2).map((three) => relPath(`${one}/${two}/${three}`)),
  ]),
])
const modes = [0o644, 0o755, 0o600, 0o4755, 0o500]

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    side: fc.constantFrom<Step['side']>('alpha', 'beta', 'alpha', 'beta', 'both'),
    path: fc.constantFrom(...paths),
    content: fc.oneof(
      fc.constantFrom<Step['content']>(
        ...['u', 'v', 'ww'].map((text) => file(text)),
        directory(),
        absent,
        'touch',
        'chmod',
      ),
      fc.constantFrom<Step['content']>({ kind: 'symlink', target: 's' }, directory()),
    ),
    mode: fc.constantFrom(...modes),
    mtimeNs: fc.constantFrom(1n, 2n, 3n),
  }),
  { maxLength: 14 },
)

/** Some rounds of steps; after each the pair is synchronized. */
export const rounds: fc.Arbitrary<Step[][]> = fc.array(steps, { minLength: 1, maxLength: 5 })

export function emptyPair(): Pair {
  const root = [[rootPath, directory()]] as const
  return { archive: new Archive(), alpha: new MemoryDisk(root), beta: new MemoryDisk(root) }
}

/** A step that the file system would refuse is left out. */
export function take(pair: Pair, taken: readonly Step[]): void {
  for (const step of taken) {
    if (step.side !== 'beta') takeOn(pair.alpha, step)
    if (step.side !== 'alpha') takeOn(pair.beta, step)
  }
}

function takeOn(disk: Disk, { path, content, mode, mtimeNs }: Step): void {
  if (disk.at(parentOf(path)).kind !== 'directory') return
  const held = disk.at(path)
  if (content === 'touch' || content === 'chmod') {
    if (held.kind === 'file')
      disk.contents.set(path, {
        ...held,
        props: content === 'touch' ? { ...held.props, mtimeNs } : { ...held.props, mode },
      })
    if (held.kind === 'directory' && content === 'chmod') disk.contents.set(path, directory(mode))
    return
  }
  if (content.kind === 'directory') {
    if (held.kind !== 'directory') disk.put(path, directory(mode))
  } else disk.put(path, content.kind === 'file' ? { ...content, props: { mode, mtimeNs } } : content)
}

/** A disk, or an archive, as the model sees it. */
export function nodeOf(at: (path: RelPath) => Content, all: Iterable<RelPath>, path: RelPath = rootPath): Node {
  const content = at(path)
  if (content.kind === 'absent') return undefined
  if (content.kind === 'symlink') return `->${content.target}`
  if (content.kind === 'file') return content.fingerprint ?? 'unread'
  const members: { [name: string]: Node } = {}
  for (const inside of all)
    if (inside !== rootPath && parentOf(inside) === path) {
      const name = inside.slice(path === '' ? 0 : path.length + 1)
      members[name] = nodeOf(at, all, join(path, name))
    }
  return members
}

export function diskNode(disk: Disk): Node {
  return nodeOf((path) => disk.at(path), [...disk.contents.keys()])
}

export function archiveNode(archive: Archive): Node {
  return nodeOf((path) => archive.agreements.get(path)?.content ?? absent, [...archive.agreements.keys()])
}

export function mirroredSteps(taken: readonly Step[]): Step[] {
  return taken.map((step) => ({
    ...step,
    side: step.side === 'both' ? 'both' : step.side === 'alpha' ? 'beta' : 'alpha',
  }))
}
