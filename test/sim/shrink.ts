import type { Faults } from './faults.js'
import { isFault, optionsOf, type Profile } from './profile.js'
import { simulate } from './simulate.js'

/** Most histories that are tried. */
const triesMax = 400

/**
 * A smaller history that breaks the same promise: faults go first, one kind after the other, then the users' steps by
 * halves, quarters and so on. Deterministic; tells each step that helped.
 */
export async function shrink(profile: Profile, say: (line: string) => void): Promise<Profile> {
  const kind = kindOf(await violationsOf(profile))
  if (kind === undefined) return profile
  let best: Profile = { ...profile, only: profile.only ?? Array.from({ length: profile.steps }, (_, step) => step) }
  let tries = 0
  const attempt = async (smaller: Profile, what: string): Promise<boolean> => {
    if (tries++ >= triesMax || kindOf(await violationsOf(smaller)) !== kind) return false
    best = smaller
    say(`still ${JSON.stringify(kind)} ${what}`)
    return true
  }
  for (const name of Object.keys(profile.faults)) {
    if (!isFault(name)) continue
    const without = withFault(best.faults, name, undefined)
    if (await attempt({ ...best, faults: without }, `without ${name}`)) continue
    const once = best.faults[name]
    if (typeof once === 'number' && once > 1)
      await attempt({ ...best, faults: withFault(best.faults, name, 1) }, `with one of ${name}`)
  }
  if (best.disks.some((disk) => disk !== 'usual'))
    await attempt({ ...best, disks: ['usual', 'usual'] }, 'on usual disks')
  for (let size = Math.ceil((best.only?.length ?? 0) / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < (best.only?.length ?? 0); ) {
      const only = best.only?.filter((_, place) => place < at || place >= at + size) ?? []
      if (!(await attempt({ ...best, only }, `with ${only.length} steps`))) at += size
    }
  }
  return best
}

function withFault(faults: Partial<Faults>, name: keyof Faults, value: number | undefined): Partial<Faults> {
  const { [name]: _, ...others } = faults
  return value === undefined ? others : { ...others, [name]: value }
}

/** What a history finds; an exception that ends it is a finding too. */
export async function violationsOf(profile: Profile): Promise<readonly string[]> {
  try {
    return (await simulate(optionsOf(profile))).violations
  } catch (error) {
    return [error instanceof Error ? `thrown ${error.name}: ${error.message}` : `thrown ${String(error)}`]
  }
}

/** Which promise: a smaller history that breaks another one is another finding. */
function kindOf(violations: readonly string[]): string | undefined {
  return violations[0]
    ?.replace(/^[\d.]+ ms: /, '')
    .split(' ')
    .slice(0, 2)
    .join(' ')
}
