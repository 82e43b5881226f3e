/** What the file system of a root is to keep free: so many bytes, or a share of all of it, `bytesMax` at most. */
export type MinFree =
  | { readonly kind: 'size'; readonly bytes: number }
  | { readonly kind: 'share'; readonly share: number; readonly bytesMax: number | undefined }

/** On a file system of `totalBytes`. */
export function bytesFreeLeast(minFree: MinFree, totalBytes: number): number {
  if (minFree.kind === 'size') return minFree.bytes
  return Math.min(Math.ceil(totalBytes * minFree.share), minFree.bytesMax ?? totalBytes)
}
