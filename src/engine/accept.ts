import type { Archive } from '../archive/archive.js'
import type { RelPath } from '../core/path.js'
import type { Side } from '../core/side.js'
import type { Replica } from '../replica/replica.js'
import { type ForgetContext, forget } from './repair.js'
import { NotReady } from './state.js'

/**
 * Somebody says that what stands at a path is to stay, where a file system was mounted or is gone. What was agreed there is
 * forgotten first, so that nothing that is missing now can be taken for removed: what one side alone has is then new on the
 * other, and what both have and differ in is a conflict.
 */
export interface AcceptedPath {
  readonly path: RelPath
  /** Ids of all pairs that it is said of. */
  readonly pairs: readonly string[]
  /** What other pairs of the root will make of it is known, and meant. */
  readonly confirmed: boolean
  /**
   * 'ask' changes nothing; 'forget' and then 'look', between which nothing is decided at the path: it stays a problem. Pairs that share a
   * root all forget before one of them looks.
   */
  readonly step: AcceptStep
}

export type AcceptStep = 'ask' | 'forget' | 'look'

const sides: readonly Side[] = ['alpha', 'beta']

/** Between two cycles only. @throws NotReady 'refused', 'no-boundary'; LinkFailure, ReplicaFailure, StoreFailure */
export async function accept(
  context: ForgetContext & { readonly archive: Archive; readonly replicas: Readonly<Record<Side, Replica>> },
  { path, pairs, confirmed, step }: AcceptedPath,
): Promise<void> {
  const answers = await Promise.all(
    sides.map((side) =>
      context.replicas[side].accept({
        path,
        pairs,
        confirmed: confirmed || step === 'ask',
        asksOnly: step !== 'look',
      }),
    ),
  )
  for (const answer of answers) if (answer.kind === 'refused') throw new NotReady('refused', answer.detail)
  if (step === 'look') return
  if (answers.every(({ kind }) => kind === 'nothing'))
    throw new NotReady(
      'no-boundary',
      `no file system came or went at ${path}, as far as is known: see tandem conflicts`,
    )
  if (step !== 'forget') return
  // Of the directory itself only the properties are in question: what they were agreed as stays, and what they are now is a change.
  const agreement = context.archive.find(path)?.agreement
  const itself = agreement?.content.kind === 'directory' ? [{ path, agreement }] : []
  await forget(context, [{ path, agreement: undefined }, ...itself], 'what stands there was accepted')
}

/** What may only be done while no cycle runs, in the order in which it was asked for. */
export class BetweenCycles {
  private readonly asked: { act(): Promise<void>; reject(error: unknown): void }[] = []
  private over = false

  run(act: () => Promise<void>): Promise<void> {
    if (this.over) return Promise.reject(ended())
    return new Promise((resolve, reject) => {
      this.asked.push({ act: () => act().then(resolve, reject), reject })
    })
  }

  get isEmpty(): boolean {
    return this.asked.length === 0
  }

  /** No cycle runs until it resolves. */
  async work(): Promise<void> {
    for (let one = this.asked.shift(); one !== undefined; one = this.asked.shift()) await one.act()
  }

  end(): void {
    this.over = true
    for (const { reject } of this.asked.splice(0)) reject(ended())
  }
}

function ended(): NotReady {
  return new NotReady('disconnected', 'this life of the pair is over')
}
