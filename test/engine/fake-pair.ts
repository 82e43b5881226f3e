import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as nodePath from 'node:path'
import { afterEach } from 'vitest'
import type { OpenPath } from '../../src/archive/archive.js'
import { archivePath, commitJob, encodeEdit, openArchive } from '../../src/archive/commit.js'
import type { PairConfig, RootConfig } from '../../src/config/config.js'
import { parsePreferences } from '../../src/config/parse-preferences.js'
import type { Preferences } from '../../src/config/preferences.js'
import type { Agreement } from '../../src/core/agreement.js'
import { absPath, relPath } from '../../src/core/path.js'
import type { Side } from '../../src/core/side.js'
import { pairId } from '../../src/engine/held-archive.js'
import { PairLoop } from '../../src/engine/loop.js'
import type { PairOptions } from '../../src/engine/pair-options.js'
import type { PassOptions, PassResult } from '../../src/engine/pass.js'
import type { Host } from '../../src/host/host.js'
import { nodeFiles } from '../../src/host/node/files.js'
import { nodeMachine } from '../../src/host/node/machine.js'
import { nodeRandom } from '../../src/host/node/random.js'
import { nodeStores } from '../../src/host/node/store.js'
import type { Workers, World } from '../../src/host/workers.js'
import type { AgentEvent } from '../../src/status/event.js'
import { BytesWriter } from '../../src/wire/bytes.js'
import { HandClock, turn } from '../replica/wire-pair.js'
import { FakeRoot } from './fake-root.js'

const made: FakePair[] = []

afterEach(async () => {
  for (const pair of made.splice(0)) await pair.dispose()
})

/** Two roots in memory, a real archive on a real disk, and the engine between them. */
export class FakePair {
  readonly alpha = new FakeRoot('alpha')
  readonly beta = new FakeRoot('beta')
  readonly clock = new HandClock()
  readonly events: AgentEvent[] = []
  /** Runs before each job of the lead: what it throws is what the job throws. */
  beforeJob: (name: string) => void = () => {}
  private readonly home = fs.mkdtempSync(nodePath.join(tmpdir(), 'tandem-engine-'))
  private readonly world: World
  private loop: PairLoop | undefined
  private isSwapped = false
  private preferences: Partial<Preferences> = {}

  constructor() {
    made.push(this)
    fs.mkdirSync(`${this.home}/pairs`)
    this.world = {
      files: nodeFiles(),
      stores: nodeStores(),
      clock: this.clock,
      random: nodeRandom(),
      machine: nodeMachine(),
    }
    // Long after 1970: batches are numbered by the wall clock.
    void this.clock.pass(1_000_000)
  }

  prefer(preferences: Partial<Preferences>): this {
    this.preferences = { ...this.preferences, ...preferences }
    return this
  }

  /** One pass of a lead that lives for it. */
  async pass(options: PassOptions = { dryRun: false }): Promise<PassResult> {
    const loop = this.open()
    try {
      return await loop.pass(options, new AbortController().signal)
    } finally {
      await this.stop()
    }
  }

  /** The lead, living on until `stop`. */
  open(): PairLoop {
    this.loop ??= new PairLoop(this.options())
    return this.loop
  }

  async stop(): Promise<void> {
    await this.loop?.close()
    this.loop = undefined
  }

  /** From now on the roots are given in the other order. */
  swap(): void {
    this.isSwapped = !this.isSwapped
  }

  agreed(path: string): Agreement | undefined {
    return this.read((archive) => archive.find(relPath(path))?.agreement)
  }

  /** Writes something untrue, or nothing, into the archive that is in use. */
  async falsify(path: string, agreement: Agreement | undefined): Promise<void> {
    const to = new BytesWriter()
    encodeEdit(to, { path: relPath(path), agreement })
    await this.host().workers.run(
      commitJob,
      { archive: archivePath(this.directory()), edits: to.finish(), last: undefined },
      'edit',
    )
  }

  opens(): OpenPath[] {
    return this.read((archive) => [...archive.opens()])
  }

  /** A copy of the archive as it is now; the function puts it back. */
  backUp(): () => void {
    const file = archivePath(this.directory())
    const bytes = fs.readFileSync(file)
    return () => fs.writeFileSync(file, bytes)
  }

  get movedAside(): string[] {
    return this.events.flatMap((event) => (event.event === 'store-moved-aside' ? [event.why] : []))
  }

  async dispose(): Promise<void> {
    await this.stop().catch(() => undefined)
    fs.rmSync(this.home, { recursive: true, force: true })
  }

  private read<T>(body: (archive: ReturnType<typeof openArchive>) => T): T {
    const archive = openArchive(this.world, archivePath(this.directory()))
    try {
      return body(archive)
    } finally {
      archive.close()
    }
  }

  private directory() {
    return absPath(`${this.home}/pairs/${pairId('//fake//alpha', '//fake//beta')}`)
  }

  private options(): PairOptions {
    const roots: Record<string, FakeRoot> = { '/alpha': this.alpha, '/beta': this.beta }
    const rootOf = (config: RootConfig): FakeRoot => {
      const root = config.kind === 'local' ? roots[config.path] : undefined
      if (root === undefined) throw new Error('no such root')
      return root
    }
    const configOf = (side: Side): RootConfig => ({ kind: 'local', path: absPath(`/${side}`) })
    const config: PairConfig = {
      name: 'pair',
      alpha: configOf(this.isSwapped ? 'beta' : 'alpha'),
      beta: configOf(this.isSwapped ? 'alpha' : 'beta'),
      preferences: { ...usual(), ...this.preferences },
      ignoreArchives: false,
    }
    return {
      config,
      host: this.host(),
      emit: (event) => this.events.push(event),
      stateDir: absPath(this.home),
      canonicalOf: (root) => `//fake//${rootOf(root).name}`,
      connect: async (root) => rootOf(root).replica(),
    }
  }

  private host(): Host {
    const workers: Workers = {
      count: 1,
      run: async (job, input) => {
        await turn()
        this.beforeJob(job.name)
        return job.run(this.world, input)
      },
      apart: () => ({ ...workers, count: 1, beats: 0 }),
      close: async () => {},
    }
    const refuse = () => {
      throw new Error('the engine has nothing to do with this')
    }
    return {
      clock: this.clock,
      random: this.world.random,
      machine: this.world.machine,
      workers,
      stores: this.world.stores,
      sockets: { listen: refuse, connect: refuse },
      watcher: { watch: refuse, close: refuse },
    }
  }
}

/** As when nothing is said. */
function usual(): Preferences {
  const root = (name: string) => ({ given: `/${name}`, spec: { kind: 'local' as const, path: absPath(`/${name}`) } })
  return parsePreferences([], root('alpha'), root('beta'))
}
