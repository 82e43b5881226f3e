/** SHA-256 of a file's bytes, tagged with its algorithm so that another can come: 'sha256:' and 64 hex digits. */
export type Fingerprint = string & { readonly __fingerprint: true }

/**
 * Properties that travel. `undefined` means unknown: the preference was off when the archive was written.
 * What a root holds is always known.
 */
export interface Props {
  /** The low twelve bits of st_mode. */
  readonly mode: number | undefined
  /** Nanoseconds since 1970, negative before. */
  readonly mtimeNs: bigint | undefined
}

export interface FileContent {
  readonly kind: 'file'
  /** undefined: not yet read. Two such contents of one size may or may not be equal. */
  readonly fingerprint: Fingerprint | undefined
  readonly sizeBytes: number
  readonly props: Props
}

export interface DirectoryContent {
  readonly kind: 'directory'
  readonly props: Props
}

export interface SymlinkContent {
  readonly kind: 'symlink'
  /** As readlink gives it, in the encoding of names. */
  readonly target: string
}

/** What a path holds. Absence is a content, not a null. */
export type Content = { readonly kind: 'absent' } | DirectoryContent | SymlinkContent | FileContent

export const absent: Content = { kind: 'absent' }
