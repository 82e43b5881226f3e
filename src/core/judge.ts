import type { Agreement } from './agreement.js'
import { absent, type Content, type Props } from './content.js'
import { preferredContent } from './prefer.js'
import type { Rules } from './rules.js'
import type { Side } from './side.js'

/** What should become of one path, what is below it left aside. */
export type Verdict =
  /** As agreed on both sides. */
  | { readonly kind: 'unchanged' }
  /**
   * Both sides shall hold `goal`. `source` has its content; 'both' where the contents are equal already.
   * `torn`: the modes are in conflict. `news`: the agreement or a side is not yet like `goal`. `resets`: a property goes
   * back to what was agreed. `overrules`: without force the content of `source` would not go to the other side.
   */
  | {
      readonly kind: 'settle'
      readonly goal: Content
      readonly source: Side | 'both'
      readonly torn: boolean
      readonly news: boolean
      readonly resets: boolean
      readonly overrules: boolean
    }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'unread'; readonly sides: readonly Side[] }

const unchanged: Verdict = { kind: 'unchanged' }
const conflict: Verdict = { kind: 'conflict' }

/**
 * What should become of one path. Swapping alpha and beta swaps only the direction. The question is asked once for the
 * content and once for each property: one that a side changed alone goes to the other side, whatever became of the rest.
 * Where a side is forced to win, it is asked of nobody: what that side has is the goal.
 *
 * Directories are judged as such, not by their members: that a side is as agreed everywhere below is for the caller to see.
 */
export function judge(agreement: Agreement | undefined, alpha: Content, beta: Content, rules: Rules): Verdict {
  const archive = agreement?.content ?? absent
  const forced = preferredContent(rules.force, alpha, beta)
  const source = judgeContent(archive, alpha, beta, forced)
  const overrules = forced === source && judgeContent(archive, alpha, beta, undefined) !== source
  switch (source) {
    case 'conflict':
      return conflict
    case 'unread':
      return { kind: 'unread', sides: unreadSides(archive, alpha, beta) }
    case 'alpha':
      return settle(agreement, alpha, alpha, beta, source, rules, forced, true, overrules)
    case 'beta':
      return settle(agreement, beta, alpha, beta, source, rules, forced, true, overrules)
    case 'both':
      return settle(
        agreement,
        alpha,
        alpha,
        beta,
        source,
        rules,
        forced,
        compareWithArchive(archive, alpha) !== 'same',
        false,
      )
  }
}

/** What both sides shall hold when `content` replaces the other side's whole: its properties, as far as they are compared. */
export function goalOf(content: Content, rules: Rules): Content {
  return withProps(content, maskedMode(content, rules), timeOf(content, rules))
}

export type Likeness = 'same' | 'different' | 'unread'

/** Whether two paths hold the same content, properties and members aside. */
export function compareContents(one: Content, other: Content): Likeness {
  if (one.kind === 'file' && other.kind === 'file') {
    if (one.sizeBytes !== other.sizeBytes) return 'different'
    if (one.fingerprint === undefined || other.fingerprint === undefined) return 'unread'
    return one.fingerprint === other.fingerprint ? 'same' : 'different'
  }
  if (one.kind === 'symlink' && other.kind === 'symlink') return one.target === other.target ? 'same' : 'different'
  return one.kind === other.kind ? 'same' : 'different'
}

/** The same against what was agreed. A file whose fingerprint the archive does not know is no common state; reading would not help. */
export function compareWithArchive(archive: Content, content: Content): Likeness {
  if (archive.kind === 'file' && archive.fingerprint === undefined) return 'different'
  return compareContents(archive, content)
}

/** The low bits of the mode that are compared, or undefined where there are none. */
export function maskedMode(content: Content, rules: Rules): number | undefined {
  return masked(propsOf(content)?.mode, rules)
}

function masked(mode: number | undefined, rules: Rules): number | undefined {
  return mode === undefined || rules.perms === 0 ? undefined : mode & rules.perms
}

function judgeContent(
  archive: Content,
  alpha: Content,
  beta: Content,
  forced: Side | undefined,
): Side | 'both' | 'conflict' | 'unread' {
  const between = compareContents(alpha, beta)
  if (between === 'same') return 'both'
  if (between === 'unread') return 'unread'
  if (forced !== undefined) return forced
  const alphaToArchive = compareWithArchive(archive, alpha)
  const betaToArchive = compareWithArchive(archive, beta)
  if (alphaToArchive === 'same') return 'beta'
  if (betaToArchive === 'same') return 'alpha'
  return alphaToArchive === 'unread' || betaToArchive === 'unread' ? 'unread' : 'conflict'
}

/** The sides whose fingerprint is unknown and could be that of something of the same size. */
function unreadSides(archive: Content, alpha: Content, beta: Content): Side[] {
  const sides: Side[] = []
  const like = (content: Content, others: readonly Content[]): boolean =>
    content.kind === 'file' &&
    content.fingerprint === undefined &&
    others.some((other) => other.kind === 'file' && other.sizeBytes === content.sizeBytes)
  if (like(alpha, [beta, archive])) sides.push('alpha')
  if (like(beta, [alpha, archive])) sides.push('beta')
  return sides
}

function settle(
  agreement: Agreement | undefined,
  content: Content,
  alpha: Content,
  beta: Content,
  source: Side | 'both',
  rules: Rules,
  forced: Side | undefined,
  contentNews: boolean,
  overrules: boolean,
): Verdict {
  // Properties can only be compared between two files or two directories.
  if (alpha.kind !== beta.kind || propsOf(content) === undefined)
    return contentNews
      ? { kind: 'settle', goal: goalOf(content, rules), source, torn: false, news: true, resets: false, overrules }
      : unchanged

  // What was agreed for another kind of thing says nothing about this one.
  const known = agreement?.content.kind === content.kind ? agreement : undefined
  const mode = judgeMode(known, alpha, beta, rules, forced)
  const time = judgeTime(known, alpha, beta, rules, forced)
  if (!contentNews && !mode.news && !mode.torn && !time.news) return unchanged
  return {
    kind: 'settle',
    goal: withProps(content, mode.goal, time.goal),
    source,
    torn: mode.torn,
    news: contentNews || mode.news || time.news,
    resets: mode.resets || time.resets,
    overrules,
  }
}

interface PropertyVerdict<T> {
  readonly goal: T | undefined
  readonly news: boolean
  readonly resets: boolean
}

function judgeMode(
  known: Agreement | undefined,
  alpha: Content,
  beta: Content,
  rules: Rules,
  forced: Side | undefined,
): PropertyVerdict<number> & { readonly torn: boolean } {
  const archive = propsOf(known?.content)?.mode
  const alphaMode = maskedMode(alpha, rules)
  const betaMode = maskedMode(beta, rules)
  const alphaHeld = masked(known?.alphaHolds?.mode ?? archive, rules)
  const betaHeld = masked(known?.betaHolds?.mode ?? archive, rules)
  const verdict = judgeProperty(archive, alphaHeld, betaHeld, alphaMode, betaMode, forced)
  const chosen = verdict === 'undecided' ? preferredContent(rules.prefer, alpha, beta) : verdict
  if (chosen === undefined) return { goal: archive, news: false, torn: true, resets: false }
  const goal = chosen === 'archive' ? masked(archive, rules) : chosen === 'alpha' ? alphaMode : betaMode
  return {
    goal,
    news: goal !== archive || alphaMode !== alphaHeld || betaMode !== betaHeld,
    torn: false,
    resets: chosen === 'alpha' ? betaMode !== betaHeld : chosen === 'beta' && alphaMode !== alphaHeld,
  }
}

/** Times never conflict: where the archive does not decide, the later one is set on both. */
function judgeTime(
  known: Agreement | undefined,
  alpha: Content,
  beta: Content,
  rules: Rules,
  forced: Side | undefined,
): PropertyVerdict<bigint> {
  const archive = propsOf(known?.content)?.mtimeNs
  const alphaTime = timeOf(alpha, rules)
  const betaTime = timeOf(beta, rules)
  if (alphaTime === undefined || betaTime === undefined)
    return { goal: undefined, news: archive !== undefined, resets: false }
  const alphaHeld = known?.alphaHolds?.mtimeNs ?? archive
  const betaHeld = known?.betaHolds?.mtimeNs ?? archive
  const verdict = judgeProperty(archive, alphaHeld, betaHeld, alphaTime, betaTime, forced)
  const later = alphaTime > betaTime ? alphaTime : betaTime
  const goal = verdict === 'archive' ? archive : verdict === 'alpha' ? alphaTime : verdict === 'beta' ? betaTime : later
  return {
    goal,
    news: goal !== archive || alphaTime !== alphaHeld || betaTime !== betaHeld,
    resets: verdict === 'alpha' ? betaTime !== betaHeld : verdict === 'beta' && alphaTime !== alphaHeld,
  }
}

/** Whose value of one property both sides shall hold. Each side is compared with what it itself held. */
function judgeProperty<T extends number | bigint>(
  archive: T | undefined,
  alphaHeld: T | undefined,
  betaHeld: T | undefined,
  alpha: T | undefined,
  beta: T | undefined,
  forced: Side | undefined,
): Side | 'archive' | 'undecided' {
  if (alpha === beta) return 'alpha'
  if (forced !== undefined) return forced
  if (archive === undefined) return 'undecided'
  const alphaChanged = alpha !== alphaHeld
  const betaChanged = beta !== betaHeld
  if (alphaChanged && betaChanged) return 'undecided'
  if (alphaChanged) return 'alpha'
  return betaChanged ? 'beta' : 'archive'
}

/** The time, where it is compared: of files only. */
function timeOf(content: Content, rules: Rules): bigint | undefined {
  return rules.times && content.kind === 'file' ? content.props.mtimeNs : undefined
}

function propsOf(content: Content | undefined): Props | undefined {
  return content?.kind === 'file' || content?.kind === 'directory' ? content.props : undefined
}

function withProps(content: Content, mode: number | undefined, mtimeNs: bigint | undefined): Content {
  switch (content.kind) {
    case 'directory':
      return { kind: 'directory', props: { mode, mtimeNs: undefined } }
    case 'file':
      return {
        kind: 'file',
        fingerprint: content.fingerprint,
        sizeBytes: content.sizeBytes,
        props: { mode, mtimeNs },
      }
    default:
      return content
  }
}
