import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Faults } from './faults.js'
import { type Given, isFault, optionsOf, type Profile, profileOf } from './profile.js'
import { type Finding, runShare, shared } from './shares.js'
import { shrink } from './shrink.js'
import { simulate } from './simulate.js'
import type { Topology } from './world.js'

/*
 * npm run sim -- --seeds N [--from S] [--topology local|linked|both] [--faults JSON] [--jobs N] [--no-shrink] [--until-first]
 * npm run sim -- --replay PROFILE           one history with every line of it; PROFILE as a failing seed prints it
 */

const usage = 'npm run sim -- [--seeds N] [--from S] [--topology local|linked|both] [--faults JSON] [--jobs N]'

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      topology: { type: 'string', default: 'both' },
      faults: { type: 'string' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      'no-shrink': { type: 'boolean', default: false },
      'until-first': { type: 'boolean', default: false },
      replay: { type: 'string' },
      share: { type: 'string' },
    },
  })
  if (values.share !== undefined) return await runShare(JSON.parse(values.share))
  if (values.replay !== undefined) return await replay(JSON.parse(values.replay))
  const from = Number(values.from)
  const count = Number(values.seeds)
  if (!(count > 0) || !Number.isInteger(from)) throw new Error(usage)
  const given: Given = {
    topology: topologyOf(values.topology),
    faults: values.faults === undefined ? undefined : faultsOf(values.faults),
  }
  const jobs = Math.max(1, Math.min(Number(values.jobs), count))
  const started = performance.now()
  let done = 0
  const failed: Finding[] = []
  const seconds = (): number => (performance.now() - started) / 1_000
  const ticker = setInterval(() => {
    console.log(`${done} histories, ${(done / seconds()).toFixed(1)} a second, ${failed.length} failed`)
  }, 10_000)
  await Promise.all(
    Array.from({ length: jobs }, (_, at) => {
      const share = {
        from: from + at,
        step: jobs,
        to: from + count - 1,
        topology: given.topology,
        faults: given.faults,
      }
      return shared(fileURLToPath(import.meta.url), share, (finding) => {
        done++
        const { seed, violations } = finding
        if (violations.length === 0) return
        failed.push(finding)
        console.log(`seed ${seed}:\n  ${violations.slice(0, 5).join('\n  ')}`)
        if (!values['until-first']) return
        console.log(replayOf(profileOf(seed, given)))
        process.exit(1)
      })
    }),
  )
  clearInterval(ticker)
  console.log(
    `${done} histories of 60 operations in ${seconds().toFixed(1)} s, ${(done / seconds()).toFixed(1)} a second with ${jobs} processes: ${failed.length} failed`,
  )
  failed.sort((one, other) => one.seed - other.seed)
  const [first] = failed
  if (first === undefined) return 0
  console.log('replay with:')
  for (const { seed } of failed) console.log(replayOf(profileOf(seed, given)))
  // What has ended a process would end this one.
  if (values['no-shrink'] || first.fatal) return 1
  const small = await shrink(profileOf(first.seed, given), (line) => console.log(line))
  console.log(`the first made smaller:\n${replayOf(small)}`)
  return 1
}

const replayOf = (profile: Profile): string => `  npm run sim -- --replay '${JSON.stringify(profile)}'`

async function replay(profile: Profile): Promise<number> {
  const { lines, violations, conflicts, events } = await simulate({ ...optionsOf(profile), keepLines: true })
  for (const line of lines) console.log(line)
  for (const event of events)
    console.log(JSON.stringify(event, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)))
  console.log(`conflicts: ${conflicts.join(', ')}`)
  console.log(violations.length === 0 ? 'every promise was kept' : violations.join('\n'))
  return violations.length === 0 ? 0 : 1
}

function topologyOf(text: string): Topology | undefined {
  if (text === 'both') return undefined
  if (text !== 'local' && text !== 'linked') throw new Error(usage)
  return text
}

function faultsOf(text: string): Partial<Faults> {
  const faults: Record<string, unknown> = JSON.parse(text)
  for (const name of Object.keys(faults)) if (!isFault(name)) throw new Error(`no such fault: ${name}`)
  return faults
}

process.exitCode = await main()
