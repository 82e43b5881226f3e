import type { Content, Fingerprint } from '../../core/content.js'
import { absent } from '../../core/content.js'
import { type Directory, FileFailure, type FileHandle, type Stat } from '../../host/files.js'
import { digestFile } from './digest.js'
import type { Probe } from './stamp.js'

/**
 * One object as an intent remembers it: enough to tell it again, by stat and by its bytes, after a crash or a reboot (so no
 * device and no ctime).
 */
export type Form =
  | { readonly kind: 'absent' }
  | { readonly kind: 'directory'; readonly mode: number; readonly mtimeNs: bigint }
  | { readonly kind: 'symlink'; readonly inode: bigint; readonly target: string }
  | {
      readonly kind: 'file'
      readonly inode: bigint
      readonly sizeBytes: number
      readonly mtimeNs: bigint
      readonly mode: number
      /** undefined: its bytes were never read; then the rest decides. */
      readonly fingerprint: Fingerprint | undefined
    }

export const absentForm: Form = { kind: 'absent' }

/**
 * How closely an object is looked at. 'bytes': a file is read and its fingerprint compared as well. 'content': that alone is
 * compared where it is known: a power loss may have taken back what was done to the file last, a mode or a time.
 */
export type Depth = 'stat' | 'bytes' | 'content'

/**
 * What stands at a name compared with a form. 'same': it is that object, and for a file nobody can still write it as far
 * as a lease can tell. 'written': it may be that object, but somebody holds it open for writing. 'other': it is something else.
 */
export type Likeness =
  | { readonly kind: 'same'; readonly probe: Probe }
  | { readonly kind: 'written' }
  | { readonly kind: 'other' }
  | { readonly kind: 'absent' }

/**
 * Probes first and compares then: when no writer is left, the comparison is final.
 * @throws FileFailure when it cannot be told
 */
export function likeness(directory: Directory, name: string, form: Form, depth: Depth): Likeness {
  const stat = directory.statAt(name)
  if (stat === undefined) return { kind: 'absent' }
  if (form.kind === 'absent' || stat.kind !== form.kind) return { kind: 'other' }
  switch (form.kind) {
    case 'file':
      return fileLikeness(directory, name, form, depth)
    case 'symlink':
      return stat.inode === form.inode && directory.readSymlink(name) === form.target ? free : { kind: 'other' }
    case 'directory':
      return stat.mode === form.mode ? free : { kind: 'other' }
  }
}

const free: Likeness = { kind: 'same', probe: 'free' }

function fileLikeness(directory: Directory, name: string, form: Form & { kind: 'file' }, depth: Depth): Likeness {
  const file = openIfAllowed(directory, name)
  if (file === undefined) {
    const stat = directory.statAt(name)
    return stat !== undefined && isForm(stat, form) ? { kind: 'same', probe: 'unknown' } : { kind: 'other' }
  }
  try {
    const probe = file.probe()
    const stat = file.stat()
    const byContent = depth === 'content' && form.fingerprint !== undefined
    if (byContent ? stat.sizeBytes !== form.sizeBytes : !isForm(stat, form)) return { kind: 'other' }
    if (probe === 'busy') return { kind: 'written' }
    if (depth !== 'stat' && form.fingerprint !== undefined && digestFile(file) !== form.fingerprint)
      return { kind: 'other' }
    return { kind: 'same', probe }
  } finally {
    file.close()
  }
}

/** A file that we may not read can be compared by its stat alone. */
function openIfAllowed(directory: Directory, name: string): FileHandle | undefined {
  try {
    return directory.openFile(name)
  } catch (error) {
    if (!(error instanceof FileFailure) || (error.code !== 'denied' && error.code !== 'not-permitted')) throw error
    return undefined
  }
}

function isForm(stat: Stat, form: Form & { kind: 'file' }): boolean {
  return (
    stat.kind === 'file' &&
    stat.inode === form.inode &&
    stat.sizeBytes === form.sizeBytes &&
    stat.mtimeNs === form.mtimeNs &&
    stat.mode === form.mode
  )
}

/** The form of what a stat was taken from. Special files have none: they are never touched. */
export function formOf(stat: Stat | undefined, fingerprint: Fingerprint | undefined, target: string): Form {
  switch (stat?.kind) {
    case 'file':
      return {
        kind: 'file',
        inode: stat.inode,
        sizeBytes: stat.sizeBytes,
        mtimeNs: stat.mtimeNs,
        mode: stat.mode,
        fingerprint,
      }
    case 'directory':
      return { kind: 'directory', mode: stat.mode, mtimeNs: stat.mtimeNs }
    case 'symlink':
      return { kind: 'symlink', inode: stat.inode, target }
    default:
      return absentForm
  }
}

/** What a form says to the outside. */
export function contentOf(form: Form): Content {
  switch (form.kind) {
    case 'absent':
      return absent
    case 'directory':
      return { kind: 'directory', props: { mode: form.mode, mtimeNs: form.mtimeNs } }
    case 'symlink':
      return { kind: 'symlink', target: form.target }
    case 'file':
      return {
        kind: 'file',
        fingerprint: form.fingerprint,
        sizeBytes: form.sizeBytes,
        props: { mode: form.mode, mtimeNs: form.mtimeNs },
      }
  }
}
