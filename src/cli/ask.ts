import type { ReadStream } from 'node:tty'
import type { Item } from '../agent/agent-types.js'
import type { RootNames } from './layout.js'
import { type Decided, keysOf, TextUi } from './text-ui.js'

/**
 * Asks at the terminal what should become of each item. The terminal gives single keys while it asks and is as before afterwards.
 * Aborting `signal` is quitting, and so is the end of the input.
 */
export async function ask(
  items: readonly Item[],
  names: RootNames,
  input: ReadStream,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<Decided> {
  const ui = new TextUi(items, names)
  write(ui.start())
  if (ui.decided !== undefined) return ui.decided
  input.setRawMode(true)
  input.setEncoding('utf8')
  try {
    return await new Promise<Decided>((resolve) => {
      const quit = () => resolve('quit')
      input.on('data', (chunk: string | Buffer) => {
        for (const key of keysOf(chunk.toString())) {
          write(ui.press(key))
          if (ui.decided !== undefined) {
            resolve(ui.decided)
            return
          }
        }
      })
      input.once('end', quit)
      input.once('error', quit)
      if (signal.aborted) quit()
      signal.addEventListener('abort', quit, { once: true })
      input.resume()
    })
  } finally {
    input.removeAllListeners('data')
    input.setRawMode(false)
    input.pause()
  }
}
