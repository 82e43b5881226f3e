import { isUtf8 } from 'node:buffer'
import { Failure } from './failure.js'

declare const relPathTag: unique symbol
/**
 * A path inside a root: '/'-separated, no empty, '.' or '..' component, no NUL; '' is the root itself.
 * Names are kept byte for byte: bytes that are not UTF-8 stand as U+DC80 to U+DCFF and are encoded back exactly.
 */
export type RelPath = string & { readonly [relPathTag]: true }

declare const absPathTag: unique symbol
/** An absolute path of this machine, in the same encoding as RelPath. */
export type AbsPath = string & { readonly [absPathTag]: true }

/** A path or name that breaks the rules of RelPath. From a peer it is a violation of the protocol. */
export class BadPath extends Failure {
  override readonly name = 'BadPath'
  readonly code = 'bad-path'
  constructor(
    readonly text: string,
    readonly why: string,
  ) {
    super(`${JSON.stringify(text)}: ${why}`)
  }
}

/** Longest name in bytes, as Linux and macOS have it. */
export const nameBytesMax = 255
/** Deepest path that is accepted from anywhere. */
export const pathDepthMax = 2_048
/** Longest path whose members can be told of: three bytes a character and one more name fit what the wire takes. */
export const pathCharsMax = 16 * 1024

export const rootPath = '' as RelPath

/** The one private folder in a root. Invisible to scans; no peer can name it, in any folding. */
export const privateName = '.tandem'

export function relPath(text: string): RelPath {
  const why = faultOf(text)
  if (why !== undefined) throw new BadPath(text, why)
  return text as RelPath
}

export function absPath(text: string): AbsPath {
  if (!text.startsWith('/') || text.includes('\0')) throw new BadPath(text, 'not an absolute path')
  return text as AbsPath
}

/** The path of `name` in `directory`. `name` must be one component: as read from a directory, or checked. */
export function join(directory: RelPath, name: string): RelPath {
  return (directory === '' ? name : `${directory}/${name}`) as RelPath
}

export function parentOf(path: RelPath): RelPath {
  const cut = path.lastIndexOf('/')
  return (cut < 0 ? '' : path.slice(0, cut)) as RelPath
}

/** The directory that holds it; '/' lies in itself. */
export function directoryOf(path: AbsPath): AbsPath {
  return path.slice(0, Math.max(1, path.lastIndexOf('/'))) as AbsPath
}

/** The last component; '' of a root. */
export function nameOf(path: RelPath | AbsPath): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function componentsOf(path: RelPath): string[] {
  return path === '' ? [] : path.split('/')
}

/** Whether paths below this one may be accepted by nobody. Cheap for all that are not very long. */
export function isDeepest(path: RelPath): boolean {
  if (path.length < 2 * pathDepthMax - 1) return false
  return path.length >= pathCharsMax || componentsOf(path).length >= pathDepthMax
}

/** Whether `path` is `ancestor` or lies below it. */
export function isWithin(path: RelPath, ancestor: RelPath): boolean {
  if (ancestor === '') return true
  return path.startsWith(ancestor) && (path.length === ancestor.length || path.charCodeAt(ancestor.length) === 47)
}

/** The path of `path` seen from `ancestor`, which must hold it. */
export function relativeTo(path: RelPath, ancestor: RelPath): RelPath {
  if (ancestor === '') return path
  return path.slice(ancestor.length + 1) as RelPath
}

export function absoluteOf(root: AbsPath, path: RelPath): AbsPath {
  return (path === '' ? root : root === '/' ? `/${path}` : `${root}/${path}`) as AbsPath
}

/** Why `name` cannot be one component of a path, or undefined. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'empty name'
  if (name === '.' || name === '..') return `the name ${name} stands for another directory`
  if (name.includes('/')) return 'a name with a slash'
  if (name.includes('\0')) return 'a name with a NUL'
  if (name.length > nameBytesMax || (name.length * 3 > nameBytesMax && encodeName(name).length > nameBytesMax))
    return `a name longer than ${nameBytesMax} bytes`
  return undefined
}

function faultOf(text: string): string | undefined {
  if (text === '' || isPlain(text)) return undefined
  const names = text.split('/')
  if (names.length > pathDepthMax) return `deeper than ${pathDepthMax} directories`
  for (const name of names) {
    const why = nameFault(name)
    if (why !== undefined) return why
  }
  return undefined
}

const [slash, dot] = [0x2f, 0x2e]

/** Whether the text is a path at first sight, as almost every one is: ASCII alone, and short. Many are checked for each file. */
function isPlain(text: string): boolean {
  if (text.length >= 2 * pathDepthMax) return false
  let begin = 0
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? slash : text.charCodeAt(at)
    if (code === 0 || code >= 0x80) return false
    if (code !== slash) continue
    const length = at - begin
    if (length === 0 || length > nameBytesMax) return false
    // '.' and '..', and what only looks like them.
    if (length <= 2 && text.charCodeAt(begin) === dot) return false
    begin = at + 1
  }
  return true
}

/** Whether all of it is ASCII. */
function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) >= 0x80) return false
  return true
}

/**
 * Whether `name` is the private folder in any folding that a file system may apply: case, compatibility forms, and code
 * points that HFS+ ignores. Compared generously: a false yes costs one odd name, a false no lets a peer reach the folder.
 */
export function isReservedName(name: string): boolean {
  if (name === privateName) return true
  // Every folding keeps at least the seven code points; none makes a name of more than a few dozen of them.
  if (name.length < 7 || name.length > 64) return false
  if (isAscii(name)) return name.toLowerCase() === privateName
  return (
    name
      .normalize('NFKC')
      .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
      .toLowerCase()
      .normalize('NFKC') === privateName
  )
}

/** Whether any component of `path` is reserved. */
export function isReserved(path: RelPath): boolean {
  if (path.length < 7) return false
  // In ASCII it begins with its dot.
  if (!path.startsWith('.') && !path.includes('/.') && isAscii(path)) return false
  return componentsOf(path).some(isReservedName)
}

/** The bytes of a name or path as the kernel wants them. The inverse of decodeName. */
export function encodeName(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  for (const point of text) {
    const code = point.codePointAt(0) ?? 0
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(point, 'utf8'))
  }
  return Buffer.concat(parts)
}

/** The name that the kernel's bytes stand for. Bytes that are not UTF-8 become U+DC80 to U+DCFF, one each. */
export function decodeName(bytes: Uint8Array): string {
  return isUtf8(bytes) ? utf8Of(bytes) : decodeLossless(bytes)
}

/** The text of bytes that are UTF-8. For so few of them a decoder takes several times as long to begin. */
function utf8Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

function decodeLossless(bytes: Uint8Array): string {
  let text = ''
  let at = 0
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at)
    if (length > 0) {
      text += utf8Of(bytes.subarray(at, at + length))
      at += length
    } else {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
      at += 1
    }
  }
  return text
}

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0
}
