import { type ArchiveEdit, encodeEdit } from '../archive/commit.js'
import { goalOf } from '../core/judge.js'
import { parentOf, type RelPath, rootPath } from '../core/path.js'
import type { Rules } from '../core/rules.js'
import { otherSide, type Side } from '../core/side.js'
import type { Opened } from '../replica/replica.js'
import { BytesWriter } from '../wire/bytes.js'
import { oriented, propsOf } from './agreed.js'
import { onTheWay } from './passing.js'

/**
 * Outcomes that an earlier lead was not told: both roots held these contents, so they are agreed, unless the machine that
 * supplied one went down since (it may have lost what it had sent). What was removed is agreed by nobody, whatever went down. Of
 * batches before `batches` an earlier life of the pair has taken in what there was to take in: who tells of them only now tells of
 * a past that later cycles have left behind.
 */
export function pastEdits(
  sides: Readonly<Record<Side, { readonly opened: Opened }>>,
  swapped: boolean,
  batches: number,
  rules: Rules,
): Uint8Array<ArrayBuffer> {
  const edits: ArchiveEdit[] = []
  const above = new Set<RelPath>()
  for (const side of ['alpha', 'beta'] as const) {
    const supplier = sides[otherSide(side)].opened.boot
    for (const { batch, outcome, supplier: then } of sides[side].opened.unacknowledged) {
      if (batch < batches || outcome.kind !== 'done') continue
      const { path, content, from } = outcome
      // Also where the other machine went down: if its user's removal went with it, this side's is none of its own.
      if (content.kind === 'absent') {
        edits.push({ path, agreement: undefined })
        continue
      }
      if (then !== supplier) continue
      // What leads to it is a directory on both sides, whether or not that had been written down.
      for (let at = path; at !== rootPath; at = parentOf(at)) above.add(parentOf(at))
      if (from !== undefined) {
        edits.push({ path, agreement: undefined, from })
        continue
      }
      // What is not compared was not agreed; what this side holds of it is known all the same.
      const { goal, held } = { goal: goalOf(content, rules), held: propsOf(content) }
      const holds = { alphaHolds: undefined, betaHolds: undefined, [`${side}Holds`]: held }
      edits.push({ path, agreement: oriented({ content: goal, ...holds }, swapped) })
    }
  }
  const to = new BytesWriter()
  // In the order of time, but for directories on the way, which come before all.
  for (const edit of [...[...above].sort().map(onTheWay), ...edits]) encodeEdit(to, edit)
  return to.finish()
}
