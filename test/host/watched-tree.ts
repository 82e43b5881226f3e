import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import type { WatchBatch } from '../../src/host/watcher.js'

/** Facts by path. Of directories only what is theirs: not the time and size that their members give them. */
export type Facts = Record<string, string>

/** What is at `root` and below now. */
export function treeOf(root: string): Facts {
  const facts: Facts = {}
  walk(root, '', facts)
  return facts
}

/** A tree that knows nothing of `root` but what reports make it look at. It knows the tree as it is now to begin with. */
export function modelFed(root: string): { take(batch: WatchBatch): void; tree(): Facts; readonly losses: number } {
  const facts = treeOf(root)
  let losses = 0

  function forget(path: string): void {
    for (const known of Object.keys(facts)) {
      if (path === '' || known === path || known.startsWith(`${path}/`)) delete facts[known]
    }
  }

  return {
    take(batch) {
      if (batch.lost) {
        losses += 1
        forget('')
        walk(root, '', facts)
      }
      for (const { path, depth } of batch.dirty) {
        const fact = isReached(root, path) ? factOf(root, path) : undefined
        if (depth === 'subtree' || fact === undefined || !fact.startsWith('directory')) forget(path)
        if (fact === undefined) continue
        if (depth === 'subtree') walk(root, path, facts)
        else facts[path] = fact
      }
    },
    tree: () => facts,
    get losses() {
      return losses
    },
  }
}

function walk(root: string, path: string, facts: Facts): void {
  const fact = factOf(root, path)
  if (fact === undefined) return
  facts[path] = fact
  if (!fact.startsWith('directory')) return
  for (const name of namesOf(absolute(root, path))) walk(root, path === '' ? name : `${path}/${name}`, facts)
}

function factOf(root: string, path: string): string | undefined {
  try {
    const stat = lstatSync(absolute(root, path), { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return undefined
    if (stat.isDirectory()) return `directory ${stat.mode}`
    if (stat.isSymbolicLink()) return `symlink ${readlinkSync(absolute(root, path))} ${stat.ino}`
    return `file ${stat.ino} ${stat.mode} ${stat.size} ${stat.mtimeNs}`
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Whether only directories lead to `path`: one that leads through a symlink names something else. */
function isReached(root: string, path: string): boolean {
  for (let cut = path.indexOf('/'); cut > 0; cut = path.indexOf('/', cut + 1)) {
    if (!factOf(root, path.slice(0, cut))?.startsWith('directory')) return false
  }
  return true
}

function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

function absolute(root: string, path: string): string {
  return path === '' ? root : `${root}/${path}`
}
