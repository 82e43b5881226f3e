import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { WatchBatch } from '../../src/host/watcher.js'

const script = fileURLToPath(new URL('./fixtures/watch-process.mjs', import.meta.url))

/** Whether this user may make a namespace in which it is root and mounts as it likes. */
export const hasNamespaces = spawnSync('unshare', ['-Urm', 'true']).status === 0

export type ToldBatch = WatchBatch & { readonly at: number }

/** Another process that watches; see fixtures/watch-process.mjs. */
export class WatchProcess {
  private readonly batches: ToldBatch[] = []
  private readonly waiting: { word: string; resolve(): void }[] = []
  readonly exited: Promise<number | null>

  private constructor(readonly child: ChildProcessWithoutNullStreams) {
    child.stderr.pipe(process.stderr)
    this.exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
    createInterface({ input: child.stdout }).on('line', (line) => this.hear(JSON.parse(line)))
  }

  /** Watches `roots` from now on. With `setup`, as root of a namespace of its own, after that shell command. */
  static async start(roots: readonly string[], setup?: string): Promise<WatchProcess> {
    const command = [process.execPath, script, ...roots]
    const child =
      setup === undefined
        ? spawn(process.execPath, [script, ...roots])
        : spawn('unshare', ['-Urm', 'sh', '-ec', `${setup}\nexec "$@"`, 'sh', ...command])
    const started = new WatchProcess(child)
    await started.told('ready')
    return started
  }

  /** Every batch until now, of the root of that number. */
  async drained(at = 0): Promise<ToldBatch[]> {
    await this.ask('drain', 'drained')
    const mine = this.batches.filter((batch) => batch.at === at)
    for (const batch of mine) this.batches.splice(this.batches.indexOf(batch), 1)
    return mine
  }

  run(command: string): Promise<void> {
    return this.ask(`run ${command}`, 'ran')
  }

  /** The exit code, after `word` was obeyed. */
  async leave(word: 'exit' | 'end'): Promise<number | null> {
    this.child.stdin.write(`${word}\n`)
    return this.exited
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  private ask(line: string, answer: string): Promise<void> {
    const told = this.told(answer)
    this.child.stdin.write(`${line}\n`)
    return told
  }

  private told(word: string): Promise<void> {
    const told = new Promise<void>((resolve) => this.waiting.push({ word, resolve }))
    const ended = this.exited.then((code) => {
      throw new Error(`the watching process ended with ${code}`)
    })
    return Promise.race([told, ended])
  }

  private hear(fact: ToldBatch & { readonly [word: string]: unknown }): void {
    if ('dirty' in fact) {
      this.batches.push(fact)
      return
    }
    const at = this.waiting.findIndex(({ word }) => word in fact)
    if (at >= 0) this.waiting.splice(at, 1)[0]?.resolve()
  }
}
