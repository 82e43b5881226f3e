// What a tree holds, for comparing two of them: kind, mode, size, time to the nanosecond, link target, and the bytes on demand.
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** One line a path, relative to root; '.tandem' left out. `only`: these paths alone. */
export function describeTree(root, { bytes = false, only } = {}) {
  const lines = new Map()
  const visit = (path) => {
    const stat = lstatSync(join(root, path), { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return lines.set(path, 'absent')
    const mode = (stat.mode & 0o7777n).toString(8)
    if (stat.isSymbolicLink()) lines.set(path, `link ${readlinkSync(join(root, path))}`)
    else if (stat.isDirectory()) {
      lines.set(path, `directory ${mode}`)
      if (only === undefined)
        for (const name of readdirSync(join(root, path)))
          if (name !== '.tandem') visit(path === '' ? name : `${path}/${name}`)
    } else {
      const digest = bytes
        ? createHash('sha256')
            .update(readFileSync(join(root, path)))
            .digest('hex')
        : ''
      lines.set(path, `file ${mode} ${stat.size} ${stat.mtimeNs} ${digest}`)
    }
  }
  if (only === undefined) visit('')
  else for (const path of only) visit(path)
  return lines
}

/** Paths in which two trees differ, the first few with what each holds. */
export function differences(one, other, options) {
  const a = describeTree(one, options)
  const b = describeTree(other, options)
  const found = []
  for (const [path, line] of a) if (b.get(path) !== line) found.push(`${path}: ${line} | ${b.get(path) ?? 'absent'}`)
  for (const path of b.keys()) if (!a.has(path)) found.push(`${path}: absent | ${b.get(path)}`)
  return found
}
