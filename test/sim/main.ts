import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Faults } from './faults.js'
import { type Given, isFault, optionsOf, type Profile, profileOf } from './profile.js'
import { shrink } from './shrink.js'
import { simulate } from './simulate.js'
import type { Topology } from './world.js'

/*
 * npm run sim -- --seeds N [--from S] [--topology local|linked|both] [--faults JSON] [--jobs N] [--no-shrink] [--until-first]
 * npm run sim -- --replay PROFILE           one history with every line of it; PROFILE as a failing seed prints it
 */

const usage = 'npm run sim -- [--seeds N] [--from S] [--topology local|linked|both] [--faults JSON] [--jobs N]'

interface Share extends Given {
  readonly from: number
  readonly step: number
  readonly to: number
}

/** What a process that runs a share tells the one that printed it. */
type Told = { readonly seed: number; readonly violations: readonly string[] } | 'done'

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
  const failed: { seed: number; violations: readonly string[] }[] = []
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
      return shared(share, (seed, violations) => {
        done++
        if (violations.length === 0) return
        failed.push({ seed, violations })
        console.log(`seed ${seed}:\n  ${violations.slice(0, 5).join('\n  ')}`)
        if (values['until-first']) process.exit(1)
      })
    }),
  )
  clearInterval(ticker)
  console.log(
    `${done} histories of 60 operations in ${seconds().toFixed(1)} s, ${(done / seconds()).toFixed(1)} a second with ${jobs} processes: ${failed.length} failed`,
  )
  const [first] = failed
  if (first === undefined) return 0
  const profile = profileOf(first.seed, given)
  const small = values['no-shrink'] ? profile : await shrink(profile, (line) => console.log(line))
  console.log(`replay with:\n  npm run sim -- --replay '${JSON.stringify(small)}'`)
  return 1
}

/** Runs a share in a process of its own. */
function shared(share: Share, told: (seed: number, violations: readonly string[]) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--share', JSON.stringify(share)], {
      execArgv: process.execArgv,
    })
    child.on('message', (message: Told) => {
      if (message !== 'done') told(message.seed, message.violations)
    })
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a process ended with ${code}`))))
  })
}

async function runShare(share: Share): Promise<number> {
  for (let seed = share.from; seed <= share.to; seed += share.step) {
    const { violations } = await simulate(optionsOf(profileOf(seed, share)))
    process.send?.({ seed, violations } satisfies Told)
  }
  await new Promise<void>((resolve) => process.send?.('done' satisfies Told, () => resolve()))
  process.disconnect()
  return 0
}

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
