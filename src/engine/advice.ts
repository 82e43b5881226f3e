import type { Failure } from '../core/failure.js'
import { countOf } from '../status/amounts.js'

/** What a person does about a pair that cannot go on. */
export interface Advice {
  /** What brings back what was: the pair then goes on by itself. */
  readonly back: string
  /** What goes on without it, where there is such a way. */
  readonly on?: string
}

/** By the code of the failure; undefined: waiting is all there is. */
export function adviceOn(code: string): Advice | undefined {
  switch (code) {
    case 'missing':
      return {
        back: 'Move or mount it back',
        on: `If it is gone for good, ${afresh}: it is made again, and ${filled}.`,
      }
    case 'not-directory':
      return {
        back: 'Move what stands there away, and what was there before back',
        on: `If that is gone for good, move what stands there away and ${afresh}: it is made again, and ${filled}.`,
      }
    case 'in-doubt':
      return {
        back: 'Move or mount the root back',
        on: `If what stands there is to be the root from now on, ${afresh}: what is equal agrees, what differs is a conflict.`,
      }
    case 'unreadable':
    case 'denied':
      return { back: 'Make the root readable and writable for this user (chmod, chown; tandem doctor ROOT tells more)' }
    case 'unwritable':
      return {
        back: 'Make the root writable for this user (chmod, chown, mount -o remount,rw; tandem doctor ROOT tells more)',
      }
    case 'low-space':
      return {
        back: 'Free some space on its disk',
        on: 'To go on with less, start tandem again with a lower minfree (-minfree 100MiB, or 0; tandem run: minfree in its [[pair]], of a served root in its [[serve]]).',
      }
    case 'disk-full':
      return { back: 'Free some space' }
    case 'not-answering':
      return { back: 'Bring its server or the network back' }
    case 'mountpoint-missing':
      return {
        back: 'Mount it or plug it in',
        on: 'If it is gone for good, start tandem again without -mountpoint (tandem run: without mountpoint in its [[pair]]).',
      }
    default:
      return undefined
  }
}

const afresh =
  'stop tandem and start it once with -ignorearchives (tandem run: with ignorearchives = true in its [[pair]])'
const filled = 'filled from the other side'

/** Why a pair halts, what it saw, what goes back and what goes on, as a person reads it. `agreed`: paths that both roots held. */
export function haltText(error: Failure, agreed = 0): string {
  // Another process keeps the pair: it says itself what to do.
  if (error.code === 'pair-busy') return error.message
  const advice = adviceOn(error.code)
  if (advice === undefined) return `${error.message}. It is tried again until it works.`
  const { back, on } = advice
  const goesOn = `${back}: the pair then goes on by itself.`
  const atStake = agreed === 0 ? '' : ` (${countOf(agreed)} ${agreed === 1 ? 'path is' : 'paths are'} agreed on)`
  return [`${error.message}.`, `Nothing is deleted anywhere meanwhile${atStake}.`, goesOn, on]
    .filter((part) => part)
    .join(' ')
}
