import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect } from 'vitest'

/** The built program: `npm test` builds first. */
export const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** Nothing in these tests takes this long, on a machine that is busy with others too; who waits longer waits for ever. */
const deadlineMs = 45_000

/** More than all tests that run at a time write. */
const roomBytesMin = 4 * 2 ** 30

const sandboxes: Sandbox[] = []
afterEach(async () => {
  for (const sandbox of sandboxes.splice(0)) await sandbox.remove()
})

/**
 * Where sandboxes lie: in memory if there is room, since a disk that has to sync all that these tests write takes a fifth of
 * the processor. TANDEM_TEST_PLACE names another place.
 */
const usualPlace = process.env.TANDEM_TEST_PLACE ?? inMemory() ?? tmpdir()

function inMemory(): string | undefined {
  const place = '/dev/shm'
  if (!existsSync(place)) return undefined
  const { bavail, bsize } = statfsSync(place)
  return bavail * bsize > roomBytesMin ? place : undefined
}

/** A directory of this test, with every process that it started. Both are gone after the test. */
export function sandbox(base: string = usualPlace): Sandbox {
  const made = new Sandbox(mkdtempSync(join(base, 'tandem-e2e-')))
  sandboxes.push(made)
  return made
}

/** For tests as root that run tandem as another user: a place for sandboxes that this user can reach, if there is one. */
export const placeForOthers: string | undefined = othersCanRun()
  ? [tmpdir(), '/var/tmp', '/dev/shm'].find(othersReach)
  : undefined

/** Node itself and the program must be where the plain user can get at them (a Node in root's npm cache is not). */
function othersCanRun(): boolean {
  return process.getuid?.() !== 0 || (othersReach(dirname(process.execPath)) && othersReach(dirname(program)))
}

function othersReach(path: string): boolean {
  if (!existsSync(path) || (lstatSync(path).mode & 0o001) === 0) return false
  return path === '/' || othersReach(dirname(path))
}

/** Who has no privileges: the user that runs the tests, or nobody where that is root. */
export const plainUser: { readonly uid?: number } = process.getuid?.() === 0 ? { uid: 65_534 } : {}

/** Everything in the sandbox belongs to the plain user. */
export function giveToPlainUser(box: Sandbox): void {
  if (plainUser.uid === undefined) return
  const done = spawnSync('chown', ['-R', `${plainUser.uid}:${plainUser.uid}`, box.path])
  if (done.status !== 0) throw new Error(`chown: ${done.stderr}`)
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  /** Runs as this user. Only root can. */
  readonly uid?: number
  /** Another state directory than `state`. */
  readonly state?: string
  readonly env?: Readonly<Record<string, string>>
}

export class Sandbox {
  private readonly processes: Running[] = []

  constructor(readonly path: string) {}

  /** The absolute path of something in it. */
  at(...parts: string[]): string {
    return join(this.path, ...parts)
  }

  /** Writes a file, making what leads to it. `mtime` as touch -d takes it, down to nanoseconds: '@1700000000.123456789'. */
  write(path: string, content: string | Uint8Array, options: { mode?: number; mtime?: string } = {}): void {
    mkdirSync(dirname(this.at(path)), { recursive: true })
    writeFileSync(this.at(path), content)
    if (options.mode !== undefined) chmodSync(this.at(path), options.mode)
    if (options.mtime !== undefined) touch(this.at(path), options.mtime)
  }

  read(path: string): string {
    return readFileSync(this.at(path), 'utf8')
  }

  exists(path: string): boolean {
    return existsSync(this.at(path))
  }

  /** Runs tandem in the sandbox to its end. The state is in `state` unless the arguments say otherwise. */
  tandem(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
    return this.start(args, options).ended
  }

  /** Starts tandem and answers at once. */
  start(args: readonly string[], options: StartOptions = {}): Running {
    return this.startProcess(process.execPath, [program, ...args], options)
  }

  startProcess(command: string, args: readonly string[], options: StartOptions = {}): Running {
    const { TANDEM_STATE_DIR: _, XDG_STATE_HOME: __, NODE_OPTIONS: ___, ...inherited } = process.env
    const child = spawn(command, args, {
      cwd: this.path,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
      env: { ...inherited, HOME: this.path, TANDEM_STATE_DIR: options.state ?? this.at('state'), ...options.env },
    })
    const running = new Running(child, [command, ...args].join(' '))
    this.processes.push(running)
    return running
  }

  async remove(): Promise<void> {
    for (const one of this.processes) await one.kill()
    // What a test made unreadable must become readable to be removed by who is not root.
    spawnSync('chmod', ['-R', 'u+rwX', this.path])
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** A process of a test, with what it said so far. */
export class Running {
  stdout = ''
  stderr = ''
  private readonly end: Promise<Finished>
  private finished: Finished | undefined
  /** What of standard error was read as events, and these. */
  private loggedChars = 0
  private readonly logged: LoggedEvent[] = []

  constructor(
    private readonly child: ChildProcess,
    private readonly what: string,
  ) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // A process that ends while it is being written to is what some tests are about.
    child.stdin?.on('error', () => {})
    this.end = new Promise<Finished>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        this.finished = { code, signal, stdout: this.stdout, stderr: this.stderr }
        resolve(this.finished)
      })
    })
    // Who does not look at the end need not hear of it.
    this.end.catch(() => {})
  }

  /** Its end. From when it is asked for it has twice as long as anything in between: a whole pass may be behind it. */
  get ended(): Promise<Finished> {
    return this.endedWithin(2 * deadlineMs)
  }

  /** Of what takes long. */
  endedWithin(ms: number): Promise<Finished> {
    return withDeadline(this.end, ms, () => `the end of ${this.describe()}`)
  }

  get pid(): number {
    const { pid } = this.child
    if (pid === undefined) throw new Error(`${this.what} was not started`)
    return pid
  }

  type(keys: string): void {
    this.child.stdin?.write(keys)
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** The events it logged to standard error, oldest first. */
  events(): LoggedEvent[] {
    const end = this.stderr.lastIndexOf('\n') + 1
    for (const line of this.stderr.slice(this.loggedChars, end).split('\n'))
      if (line.startsWith('{')) this.logged.push(JSON.parse(line))
    this.loggedChars = Math.max(this.loggedChars, end)
    return [...this.logged]
  }

  /** Waits for an event, from the `skip`th of its name on. */
  async event(name: string, skip = 0): Promise<LoggedEvent> {
    const found = () => this.events().filter((one) => one.event === name)[skip]
    await this.until(() => found() !== undefined, `event ${name}`)
    return found() ?? { event: name }
  }

  /**
   * Whether what fits was applied after the first `from` events, and written down as agreed. Who edits it again before that may be in
   * conflict.
   */
  hasAgreed(fits: (applied: LoggedEvent) => boolean, from: number): boolean {
    const since = this.events().slice(from)
    const at = since.findLastIndex((one) => one.event === 'path-applied' && fits(one))
    return at >= 0 && since.slice(at).some((one) => one.event === 'cycle-committed' && one.pair === since[at]?.pair)
  }

  /** Waits for a text on standard output, from the offset on; answers the offset after it. */
  async said(text: string | RegExp, from = 0): Promise<number> {
    const find = (): number => {
      const rest = this.stdout.slice(from)
      if (typeof text === 'string') return rest.includes(text) ? from + rest.indexOf(text) + text.length : -1
      const match = text.exec(rest)
      return match === null ? -1 : from + match.index + match[0].length
    }
    await this.until(() => find() >= 0, `${text} on standard output`)
    return find()
  }

  /** Waits for a condition; fails at once when the process ends without it. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await eventually(
      () => condition() || this.finished !== undefined,
      () => `${what}, from ${this.describe()}`,
    )
    if (!condition()) throw new Error(`it ended without ${what}: ${this.describe()}`)
  }

  get hasEnded(): boolean {
    return this.finished !== undefined
  }

  async kill(): Promise<void> {
    if (this.finished === undefined) this.child.kill('SIGKILL')
    await this.end.catch(() => {})
  }

  private describe(): string {
    return `${this.what}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}\n---`
  }
}

export interface LoggedEvent {
  readonly event: string
  readonly [field: string]: unknown
}

/** Asks again until the answer is as expected: the agent goes its own way. */
export async function asked(
  box: Sandbox,
  args: readonly string[],
  fits: (end: Finished) => boolean,
): Promise<Finished> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const answer = await box.tandem(args)
    if (fits(answer)) return answer
    if (Date.now() > end) throw new Error(`${args.join(' ')}: ${JSON.stringify(answer)}`)
    await rest(100)
  }
}

/** Paths of all below a directory, as it stands; undefined: something went away while it was being looked at. */
export function namesBelow(directory: string): string[] | undefined {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Waits until the condition holds. It rests longer than it looks: what it waits for needs the processor too. */
export async function eventually(condition: () => boolean, what: () => string): Promise<void> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const began = performance.now()
    if (condition()) return
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what()}`)
    const tookMs = performance.now() - began
    await rest(Math.max(10, 3 * tookMs))
  }
}

async function withDeadline<T>(promise: Promise<T>, ms: number, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what()}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export interface TreeOptions {
  /** Leave modification times out. Those of directories are never in. */
  readonly times?: false
}

/**
 * Everything below a directory, private folder left out: path (bytes as latin1, so that every name is exact) to
 * 'file 0644 <mtime ns> <sha256>', 'dir 0755', 'link <target>' or 'special'. The root itself is '.'.
 */
export function tree(root: string, options: TreeOptions = {}): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (path: Buffer, name: string) => {
    const stat = lstatSync(path, { bigint: true })
    const mode = (stat.mode & 0o7777n).toString(8).padStart(4, '0')
    if (stat.isFile()) {
      const time = options.times === false ? '' : ` ${stat.mtimeNs}`
      found[name] = `file ${mode}${time} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
    } else if (stat.isSymbolicLink())
      found[name] = `link ${readlinkSync(path, { encoding: 'buffer' }).toString('latin1')}`
    else if (!stat.isDirectory()) found[name] = 'special'
    else {
      found[name] = `dir ${mode}`
      for (const member of readdirSync(path, { encoding: 'buffer' })) {
        const text = member.toString('latin1')
        if (name === '.' && text === '.tandem') continue
        visit(Buffer.concat([path, Buffer.from('/'), member]), name === '.' ? text : `${name}/${text}`)
      }
    }
  }
  visit(Buffer.from(root), '.')
  return Object.fromEntries(Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Both hold the same, times and modes included. */
export function expectEqual(a: string, b: string): void {
  expect(tree(b)).toEqual(tree(a))
}

/** Waits until both hold the same, and the first of them satisfies the condition too. */
export async function eventuallyEqual(a: string, b: string, condition: () => boolean = () => true): Promise<void> {
  const same = () => {
    try {
      return JSON.stringify(tree(a)) === JSON.stringify(tree(b))
    } catch (error) {
      // Something went away while it was being looked at.
      if (error instanceof Error && 'code' in error) return false
      throw error
    }
  }
  await eventually(
    () => condition() && same(),
    () => `equal trees: ${JSON.stringify(tree(a), null, 1)}\n${JSON.stringify(tree(b), null, 1)}`,
  )
}

export function touch(path: string, time: string): void {
  const done = spawnSync('touch', ['-h', '-d', time, path])
  if (done.status !== 0) throw new Error(`touch: ${done.stderr}`)
}

/** A serving agent in the sandbox, with the key of its one peer. */
export interface Serving {
  readonly process: Running
  readonly address: string
  /** The root's URL. */
  url(name: string): string
  /** The key file of the peer 'lead'. */
  readonly keyFile: string
}

/**
 * Starts `tandem serve` for `roots` (name to directory in the sandbox) and waits until it listens. `port` 0 is any free one;
 * a restart takes the address of before.
 */
export async function serve(box: Sandbox, roots: Readonly<Record<string, string>>, port = 0): Promise<Serving> {
  const keyFile = box.at('lead.key')
  if (!existsSync(keyFile)) {
    const made = await box.tandem(['keygen', 'lead', '--out', keyFile])
    if (made.code !== 0) throw new Error(`keygen: ${made.stderr}`)
  }
  const config = box.at('serve.toml')
  writeFileSync(config, servingText(roots, port, box), { mode: 0o600 })
  const running = box.start(['serve', '--config', config], { state: box.at('serving-state') })
  const address = String((await running.event('listening')).address)
  return { process: running, address, url: (name) => `wss://${address}/${name}`, keyFile }
}

export function servingText(roots: Readonly<Record<string, string>>, port: number, box: Sandbox): string {
  const served = Object.entries(roots).map(([name, path]) => `[[serve]]\nname = "${name}"\npath = "${box.at(path)}"\n`)
  const names = Object.keys(roots).map((name) => `"${name}"`)
  return `[listen]\naddress = "127.0.0.1:${port}"\n\n${served.join('\n')}\n[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = [${names.join(', ')}]\n`
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
