import { fullScanSecondsDefault } from './parse-preferences.js'
import type { Preferences } from './preferences.js'

/** The preferences of a pair that is kept equal: on events, unless they say otherwise, and nobody is asked meanwhile. */
export function keptEqual(stated: Preferences): Preferences {
  const repeat =
    stated.repeat.kind === 'once'
      ? ({ kind: 'watch', fullScanSeconds: fullScanSecondsDefault } as const)
      : stated.repeat
  return { ...stated, repeat, batch: true }
}
