import type { Content, Props } from '../core/content.js'
import type { Found, Problem, ProblemCode } from '../core/report.js'
import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'

/**
 * A content or problem, on disk and on the wire.
 *
 *     | kind u8 | fields |
 *     0 absent     -
 *     1 directory  props
 *     2 symlink    target text
 *     3 file       size u48, fingerprint 33 bytes, props
 *     4 file       size u48, props (not yet read)
 *     5 problem    code u8, detail text
 *
 *     props: | known u8 (1 mode, 2 time) | mode u16 if known | mtime i64 ns if known |
 */
export function writeFound(to: BytesWriter, found: Found): void {
  switch (found.kind) {
    case 'absent':
      to.u8(0)
      break
    case 'directory':
      to.u8(1)
      writeProps(to, found.props)
      break
    case 'symlink':
      to.u8(2)
      to.text(found.target)
      break
    case 'file':
      to.u8(found.fingerprint === undefined ? 4 : 3)
      to.u48(found.sizeBytes)
      if (found.fingerprint !== undefined) to.fingerprint(found.fingerprint)
      writeProps(to, found.props)
      break
    case 'problem':
      to.u8(5)
      to.u8(problemCodes.indexOf(found.code))
      to.text(found.detail.slice(0, detailCharsMax))
  }
}

/** @throws Malformed */
export function readFound(from: BytesReader): Found {
  const kind = from.u8()
  switch (kind) {
    case 0:
      return { kind: 'absent' }
    case 1:
      return { kind: 'directory', props: readProps(from) }
    case 2:
      return { kind: 'symlink', target: from.text(targetBytesMax) }
    case 3: {
      const sizeBytes = from.u48()
      const fingerprint = from.fingerprint()
      return { kind: 'file', fingerprint, sizeBytes, props: readProps(from) }
    }
    case 4: {
      const sizeBytes = from.u48()
      return { kind: 'file', fingerprint: undefined, sizeBytes, props: readProps(from) }
    }
    case 5:
      return readProblem(from)
    default:
      throw new Malformed(`unknown kind of content ${kind}`)
  }
}

/** Like readFound, where a problem has no place. */
export function readContent(from: BytesReader): Content {
  const found = readFound(from)
  if (found.kind === 'problem') throw new Malformed('a problem where a content belongs')
  return found
}

/** Longest link target in bytes that is accepted, as PATH_MAX. */
export const targetBytesMax = 4_096
/** Longest detail of a problem in characters that is kept. */
export const detailCharsMax = 300

export function writeProps(to: BytesWriter, props: Props): void {
  to.u8((props.mode === undefined ? 0 : 1) | (props.mtimeNs === undefined ? 0 : 2))
  if (props.mode !== undefined) to.u16(props.mode)
  if (props.mtimeNs !== undefined) to.i64(props.mtimeNs)
}

export function readProps(from: BytesReader): Props {
  const known = from.u8()
  if (known > 3) throw new Malformed(`unknown properties ${known}`)
  const mode = (known & 1) === 0 ? undefined : from.u16()
  if (mode !== undefined && mode > 0o7777) throw new Malformed(`a mode of ${mode}`)
  const mtimeNs = (known & 2) === 0 ? undefined : from.i64()
  return { mode, mtimeNs }
}

/** The order is the encoding: only append. */
const problemCodes: readonly ProblemCode[] = [
  'denied',
  'io',
  'special',
  'name',
  'boundary',
  'changing',
  'loop',
  'disk-full',
  'read-only',
  'busy',
  'not-empty',
  'unsupported',
  'held',
]

export function writeProblemCode(to: BytesWriter, code: ProblemCode): void {
  to.u8(problemCodes.indexOf(code))
}

export function readProblemCode(from: BytesReader): ProblemCode {
  const code = problemCodes[from.u8()]
  if (code === undefined) throw new Malformed('unknown problem')
  return code
}

function readProblem(from: BytesReader): Problem {
  const code = readProblemCode(from)
  return { kind: 'problem', code, detail: from.text(detailCharsMax * 4) }
}
