import { afterEach } from 'vitest'
import { HostileLead } from './hostile-lead.js'

const opened: HostileLead[] = []
afterEach(async () => {
  for (const lead of opened.splice(0)) await lead.end()
})

/** What a hostile lead finds: `mine`: a root that is its file `mine` alone; `prepare`: what else is done before it comes. */
export interface Prepared {
  readonly mine?: 'mine' | undefined
  readonly prepare?: ((lead: HostileLead) => void) | undefined
}

/** A hostile lead of this test, its link greeted and the root open. */
export async function hostileLead({ mine, prepare }: Prepared = {}): Promise<HostileLead> {
  const lead = new HostileLead(mine)
  prepare?.(lead)
  opened.push(lead)
  await lead.begin()
  return lead
}
