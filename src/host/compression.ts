/** What a frame may be shortened with. */
export type Format = 'zstd' | 'brotli'

/** Makes frames shorter for the way, and restores them. Both work beside the main thread; the bytes given must not change meanwhile. */
export interface Compression {
  /** What this machine reads and writes, the best first. */
  readonly formats: readonly Format[]
  shorten(format: Format, bytes: Uint8Array): Promise<Uint8Array>
  /** Exactly `sizeBytes` bytes; undefined when these are not they: of another format, cut off, or of more, which is never unpacked. */
  restore(format: Format, bytes: Uint8Array, sizeBytes: number): Promise<Uint8Array | undefined>
}
