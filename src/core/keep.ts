/** How long, and up to how much, a root keeps what was replaced or removed in it on behalf of another. */
export interface Keep {
  readonly ageMs: number
  readonly sizeBytes: number
}
