import { closest } from './closest.js'
import { ConfigFailure } from './config.js'
import { findPreference, preferenceNames } from './preferences-table.js'

/** One preference as it was given, its name known and built, its value unread. */
export interface Assignment {
  /** As in the table, aliases resolved. */
  readonly name: string
  readonly value: string
  /** 'command line', or 'file:line'. */
  readonly from: string
}

/**
 * @throws ConfigFailure 'not-built' for a name of Unison's that this version does not have; 'bad-preference' for one that
 * nobody has, with the nearest that somebody has
 */
export function assignment(name: string, value: string, from: string): Assignment {
  const known = findPreference(name)
  if (known === undefined) {
    const near = closest(name, preferenceNames())
    throw new ConfigFailure(
      'bad-preference',
      `${from}: there is no preference '${name}'${near === undefined ? '' : `; did you mean '${near}'?`}`,
    )
  }
  if (!known.built) throw notBuilt(name, from)
  return { name: known.name, value, from }
}

function notBuilt(name: string, from: string): ConfigFailure {
  return new ConfigFailure(
    'not-built',
    `${from}: the preference '${name}' is known, but this version of tandem does not have it yet; leave it out`,
  )
}
