import { randomBytes } from 'node:crypto'
import { writeSecret } from '../config/secret.js'
import { escapeText } from '../status/escape.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { print } from './output.js'
import type { KeygenCommand } from './program.js'

/** `keygen`: a key for a peer, in a file of its own. The key itself is never shown. */
export function runKeygen(line: KeygenCommand): ExitCode {
  writeSecret(line.out, line.name, { bytes: (count) => randomBytes(count) })
  print(
    `The key of ${line.name} is in ${escapeText(line.out)}, for its owner only.\n` +
      'Copy it to the other machine by a safe way; name it there as key_file under [[peers]], and here with --secret-file.\n',
  )
  return exitCodes.inSync
}
