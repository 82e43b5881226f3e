import type { FileHandle } from '../../host/files.js'

/** Allocated or not as a whole by every usual file system. */
export const blockBytes = 4096

/**
 * Writes the next bytes of a new file, which is written from its beginning to its end, but for zeros that fill a block or the
 * part of one that is here: what was sparse stays so, and what was never written reads as zeros. `last`: the file ends here;
 * its last block is always written, which gives it its size.
 */
export function writeSparsely(
  file: Pick<FileHandle, 'write'>,
  data: Uint8Array,
  position: number,
  last: boolean,
): void {
  let written = 0
  let at = 0
  while (at < data.length) {
    const end = Math.min(data.length, at + blockBytes - ((position + at) % blockBytes))
    const needed = (last && end === data.length) || !isZero(data.subarray(at, end))
    if (!needed) {
      if (written < at) file.write(data.subarray(written, at), position + written)
      written = end
    }
    at = end
  }
  if (written < data.length) file.write(written === 0 ? data : data.subarray(written), position + written)
}

const zeros = Buffer.alloc(blockBytes)

/** Of one block, or a part. Almost every other block differs in its first byte. */
function isZero(block: Uint8Array): boolean {
  return block[0] === 0 && (block.length === blockBytes ? zeros : zeros.subarray(0, block.length)).equals(block)
}
