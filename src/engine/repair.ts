import type { ArchiveFacts, OpenPath } from '../archive/archive.js'
import { type ArchiveEdit, commitJob, encodeEdit } from '../archive/commit.js'
import type { AbsPath, RelPath } from '../core/path.js'
import type { Side } from '../core/side.js'
import type { Clock } from '../host/clock.js'
import type { Workers } from '../host/workers.js'
import type { Replica } from '../replica/replica.js'
import { BytesWriter } from '../wire/bytes.js'
import type { AuditDifference } from './audit.js'
import type { Opens } from './opens.js'
import { outermostOf } from './overlay.js'
import { unknownDirectory } from './passing.js'

/**
 * Of these paths nothing is believed any more: what was read is read again, what was agreed is forgotten, and they are open.
 * What both sides hold there is then agreed afresh where it is equal, and a conflict where it is not; nothing is removed.
 * Between two cycles only. @throws LinkFailure, ReplicaFailure, StoreFailure
 */
export async function repair(
  context: ForgetContext & { readonly replicas: Readonly<Record<Side, Replica>> },
  differences: readonly AuditDifference[],
): Promise<void> {
  for (const side of ['alpha', 'beta'] as const) {
    const files = differences.flatMap((one) => (one.side === side && one.found.kind === 'file' ? [one.path] : []))
    if (files.length === 0) continue
    await context.replicas[side].doubt(files)
    await context.replicas[side].identify(files)
  }
  // Of a directory that both have only the properties differ: its members are another matter.
  const isAlone = ({ agreed, found }: AuditDifference) => agreed.kind === 'directory' && found.kind === 'directory'
  const whole = outermostOf(differences.filter((one) => !isAlone(one)).map(({ path }) => path))
  const alone = new Set(differences.filter(isAlone).map(({ path }) => path))
  const edits: ArchiveEdit[] = [
    ...[...alone].map((path) => ({ path, agreement: unknownDirectory })),
    ...whole.map((path) => ({ path, agreement: undefined })),
  ]
  await forget(context, edits, 'the audit found it not as agreed')
}

/** These agreements are no more, or others, and the paths are open: what both sides hold there is read and judged afresh. */
export async function forget(context: ForgetContext, edits: ArchiveEdit[], detail: string): Promise<void> {
  const to = new BytesWriter(64 + edits.length * 128)
  for (const edit of edits.sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0)))
    encodeEdit(to, edit)
  const open = (path: RelPath): OpenPath => ({ path, why: 'superseded', detail })
  const now = outermostOf(edits.map(({ path }) => path)).map((path) => ({ open: open(path), retries: true }))
  const { opened } = context.opens.replace([], now, context.clock.now())
  const last = { facts: context.facts, opened, closed: [] }
  await context.workers.run(commitJob, { archive: context.archivePath, edits: to.finish(), last }, 'edit')
}

export interface ForgetContext {
  readonly archivePath: AbsPath
  readonly workers: Workers
  readonly clock: Clock
  readonly opens: Opens
  readonly facts: ArchiveFacts
}
