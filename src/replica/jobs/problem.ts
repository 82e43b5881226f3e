import type { Problem, ProblemCode } from '../../core/report.js'
import type { FileCode, FileFailure } from '../../host/files.js'

/**
 * What the failure of a file call says of a path. 'changing' stands for every answer that only a change in the meantime
 * can have brought about: what was there a moment ago is gone, or of another kind.
 */
export function problemOf(error: FileFailure): Problem {
  return { kind: 'problem', code: problemCodes[error.code], detail: error.message.slice(0, detailCharsMax) }
}

/** Longest detail of a problem or an outcome: a message holds a path, and paths are long. */
export const detailCharsMax = 512

const problemCodes: Readonly<Record<FileCode, ProblemCode>> = {
  absent: 'changing',
  exists: 'changing',
  denied: 'denied',
  'not-permitted': 'denied',
  'not-directory': 'changing',
  'is-directory': 'changing',
  'not-empty': 'not-empty',
  loop: 'loop',
  crosses: 'boundary',
  'disk-full': 'disk-full',
  'read-only': 'read-only',
  busy: 'busy',
  'name-too-long': 'name',
  'too-many-open': 'io',
  unsupported: 'unsupported',
  stale: 'io',
  interrupted: 'io',
  io: 'io',
}
