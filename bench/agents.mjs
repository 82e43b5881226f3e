// Two real agents over the real link on loopback, as a user starts them.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const cli = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'cli.js')

/** A serving agent for `beta` and a leading one for `alpha`, with state, keys and logs under `place`. */
export class Agents {
  constructor(place, alpha, beta, port, extra = []) {
    Object.assign(this, { place, alpha, beta, port, extra })
    rmSync(place, { recursive: true, force: true })
    for (const name of ['lead', 'peer']) mkdirSync(join(place, name), { recursive: true, mode: 0o700 })
    chmodSync(place, 0o700)
    const key = join(place, 'peer', 'lead.key')
    execFileSync(process.execPath, [cli, 'keygen', 'lead', '--out', key], { stdio: 'ignore' })
    copyFileSync(key, join(place, 'lead', 'lead.key'))
    chmodSync(join(place, 'lead', 'lead.key'), 0o600)
    const config = join(place, 'peer', 'serve.toml')
    writeFileSync(
      config,
      `[listen]\naddress = "127.0.0.1:${port}"\n\n[[serve]]\nname = "tree"\npath = "${beta}"\n\n` +
        `[[peers]]\nname = "lead"\nkey_file = "${key}"\nroots = ["tree"]\n`,
    )
    chmodSync(config, 0o600)
  }

  get url() {
    return `wss://${this.host ?? '127.0.0.1'}:${this.via ?? this.port}/tree`
  }

  startPeer() {
    this.peer = this.spawn('peer', ['serve', '--config', join(this.place, 'peer', 'serve.toml')])
    return this.peer
  }

  startLead() {
    this.lead = this.spawn('lead', ['watch', this.alpha, this.url, ...this.leadOptions(), ...this.extra])
    return this.lead
  }

  leadOptions() {
    return ['--secret-file', join(this.place, 'lead', 'lead.key')]
  }

  spawn(name, args) {
    const log = openSync(join(this.place, `${name}.log`), 'a')
    const child = spawn(process.execPath, [cli, ...args, '--state-dir', join(this.place, name, 'state')], {
      stdio: ['ignore', log, log],
    })
    child.gone = new Promise((resolve) => child.once('exit', resolve))
    return child
  }

  log(name) {
    try {
      return readFileSync(join(this.place, `${name}.log`), 'utf8')
    } catch {
      return ''
    }
  }

  /** The lead has said so often that the pair is current (once each time it was opened for good). */
  async current(times = 1) {
    const isCurrent = () => {
      const { exitCode } = this.lead
      if (exitCode !== null) throw new Error(`the lead ended (${exitCode}): ${this.log('lead').slice(-1000)}`)
      return this.log('lead').split('"pair-current"').length > times
    }
    await until(isCurrent, 600_000, 'the pair to be current')
  }

  async stop() {
    this.lead?.kill('SIGUSR2')
    await this.lead?.gone
    this.peer?.kill('SIGUSR2')
    await this.peer?.gone
  }
}

/** Waits for a condition, looking every few milliseconds. */
export async function until(condition, withinMs, what, everyMs = 5) {
  const started = performance.now()
  while (!(await condition())) {
    if (performance.now() - started > withinMs) throw new Error(`waited ${withinMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  return performance.now() - started
}

/** Anonymous and resident memory of a process in MiB (Linux). */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024)
  return { anonymous: field('RssAnon'), resident: field('VmRSS') }
}

/** User and system seconds that a process has used. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
