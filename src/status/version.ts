import type { Found } from '../core/report.js'

/** What one side of a conflict holds, in fields of JSON. */
export interface Version {
  /** What happened to it since both sides agreed: 'new file', 'changed', 'deleted', 'props' ... */
  readonly change: string
  readonly kind: Found['kind']
  /** Files only. */
  readonly sizeBytes?: number
  /** Files only: nanoseconds since 1970 in decimal digits, as JSON has no numbers of that length. */
  readonly mtimeNs?: string
}

export function versionOf(found: Found, change: string): Version {
  if (found.kind !== 'file') return { change, kind: found.kind }
  const { mtimeNs } = found.props
  return {
    change,
    kind: found.kind,
    sizeBytes: found.sizeBytes,
    ...(mtimeNs === undefined ? {} : { mtimeNs: mtimeNs.toString() }),
  }
}
