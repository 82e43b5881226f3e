import { type Directory, FileFailure } from '../../host/files.js'
import {
  acknowledgedEnding,
  type Chmod,
  chmodLine,
  completeLine,
  headerLine,
  type Intent,
  type IntentHeader,
  modeIntentName,
  parseIntent,
} from './intent.js'
import { readWhole } from './place.js'

/** Bytes of one intent file at most: a batch of very many operations. */
const intentBytesMax = 1 << 30

/** Makes the intent file; on disk only after sync. @throws FileFailure */
export function createIntent(intents: Directory, name: string, text: string): void {
  const file = intents.createFile(name, 0o600)
  try {
    file.write(Buffer.from(text, 'utf8'), 0)
  } finally {
    file.close()
  }
}

/** Makes an intent of its own of what `intent` tells of this directory, which then need not be told there. @throws FileFailure */
export function keepMode(
  intents: Directory,
  { intent, header, chmod, random }: { intent: string; header: IntentHeader; chmod: Chmod; random: Uint8Array },
): void {
  const name = modeIntentName(intent, random)
  createIntent(intents, name, headerLine(header) + chmodLine(chmod) + completeLine())
  syncIntent(intents, name)
}

/** Adds whole lines. A torn line left by a crash is ended first, so that it spoils none but itself. */
export function addToIntent(intents: Directory, name: string, text: string, durable: boolean): void {
  const file = intents.reopenFile(name)
  try {
    const { sizeBytes } = file.stat()
    const last = Buffer.alloc(1)
    const torn = sizeBytes > 0 && file.read(last, sizeBytes - 1) === 1 && last[0] !== 0x0a
    file.write(Buffer.from(torn ? `\n${text}` : text, 'utf8'), sizeBytes)
    if (durable) file.sync()
  } finally {
    file.close()
  }
}

/** fdatasync of the file and fsync of its name. */
export function syncIntent(intents: Directory, name: string): void {
  const file = intents.openFile(name)
  try {
    file.sync()
  } finally {
    file.close()
  }
  intents.sync()
}

/** undefined: it tells of nothing, or was acknowledged since it was listed. */
export function readIntent(intents: Directory, name: string): Intent | undefined {
  try {
    return parseIntent(readWhole(intents, name, intentBytesMax).toString('utf8'))
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
    return undefined
  }
}

/** Names of all intents in the folder, without the ending of those that are acknowledged. */
export function intentNames(intents: Directory): { readonly name: string; readonly acknowledged: boolean }[] {
  return intents
    .names()
    .sort()
    .map((name) => {
      const acknowledged = name.endsWith(acknowledgedEnding)
      return { name: acknowledged ? name.slice(0, -acknowledgedEnding.length) : name, acknowledged }
    })
}

/** Name of the file of an intent. */
export const intentFileName = (name: string, acknowledged: boolean) =>
  acknowledged ? `${name}${acknowledgedEnding}` : name
