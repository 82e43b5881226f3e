import { unreachable } from '../core/assert.js'
import type { RelPath } from '../core/path.js'
import { bytesText, durationText, secondText } from './amounts.js'
import { escapeName, escapeText } from './escape.js'
import type { AgentEvent, Side } from './event.js'
import type { Version } from './version.js'

/** What a person at a terminal is told of an event, on one line; undefined for what would only be noise there. */
export function lineOf(event: AgentEvent): string | undefined {
  switch (event.event) {
    case 'pair-opened':
      return `keeping equal: ${escapeText(event.alpha)} and ${escapeText(event.beta)}`
    case 'pair-halted':
      return `halted: ${escapeText(event.detail)} (${event.code})`
    case 'pair-resumed':
      return 'going on'
    case 'pair-paused':
      return `paused: ${escapeText(event.pair)}`
    case 'scan-started':
    case 'cycle-started':
    case 'transfer-progressed':
    case 'pass-finished':
      return undefined
    case 'scan-finished':
      return `looked at ${escapeText(event.root)}: ${event.paths} paths in ${durationText(event.durationMs)}`
    case 'watch-degraded':
      return `cannot watch all of ${escapeText(event.root)}: ${escapeText(event.detail)}; polled instead: ${event.paths.map(nameText).join(', ')}`
    case 'path-applied':
      return `${arrowTo(event.to)} ${event.what.padEnd(10)} ${movedFromText(event.from)}${nameText(event.path)}${event.bytes > 0 ? ` (${bytesText(event.bytes)})` : ''}`
    case 'conflict-found':
      return `<-?-> conflict   ${nameText(event.path)}${versionsText(event)}`
    case 'problem-found':
      return `error ${event.code.padEnd(10)} ${nameText(event.path)} on ${event.side}: ${escapeText(event.detail)}`
    case 'cycle-committed':
      return event.applied + event.conflicts + event.problems === 0 ? undefined : committedText(event)
    case 'pair-current':
      return 'in sync'
    case 'change-planned':
      return `${event.to === 'both' ? '<--->' : arrowTo(event.to)} planned    ${movedFromText(event.from)}${nameText(event.path)}`
    case 'audit-differed':
      return `a mistake of tandem, now repaired: ${event.side} did not hold what is written down of ${escapeName(event.path)} (${event.detail})`
    case 'audit-finished':
      return undefined
    case 'not-taken-over':
      return `note: ${nameText(event.path)} in ${escapeText(event.root)} is written, without ${escapeText(event.detail)} of what it replaces or of its directory`
    case 'hard-links-found':
      return hardLinkText(event.root, event.path)
    case 'link-opened':
      return `connected to ${escapeText(event.peer)}`
    case 'link-lost':
      return `no connection to ${escapeText(event.peer)}: ${escapeText(event.detail)} (${event.code}); next attempt in ${durationText(event.retryInMs)}`
    case 'peer-accepted':
      return `peer ${escapeText(event.peer)} uses ${escapeText(event.root)} from ${escapeText(event.remote)}`
    case 'peer-joined':
      return `peer ${escapeText(event.peer)} joined from ${escapeText(event.remote)}, for ${escapeText(event.root)}`
    case 'peer-left':
      return `peer ${escapeText(event.peer)} left (${escapeText(event.code)})`
    case 'peer-refused':
      return `refused ${event.times === undefined ? 'a connection' : `${event.times} connections in a minute`} from ${escapeText(event.remote)}: ${escapeText(event.detail)} (${event.code})`
    case 'store-moved-aside':
      return `${escapeText(event.path)} was moved aside to ${escapeText(event.movedTo)}: ${escapeText(event.why)}`
    case 'process-unclear':
      return `${escapeText(event.root)}: ${escapeText(event.detail)}`
    case 'listening':
      return `listening on ${event.address}`
    case 'listening-failed':
      return `cannot listen on ${escapeText(event.address)}: ${escapeText(event.detail)} (${event.code}); it is tried again`
    case 'root-refused':
      return `not serving ${escapeText(event.root)}: ${escapeText(event.detail)} (${event.code})`
    case 'configuration-reread':
      return `${escapeText(event.file)} was read again${rereadText(event)}`
    case 'configuration-refused':
      return `${escapeText(event.detail)}; everything goes on as before (${event.code})`
    case 'log-refused':
      return `${escapeText(event.detail)}; the log goes on in the file that was open (${event.code})`
    case 'control-refused':
      return `tandem status and its like do not reach this agent: ${escapeText(event.detail)} (${event.code})`
    case 'stopping':
      return `stopping (${event.signal})`
    default:
      return unreachable(event)
  }
}

function rereadText(event: AgentEvent & { readonly event: 'configuration-reread' }): string {
  const parts = (['started', 'stopped', 'restarted'] as const).flatMap((what) =>
    event[what].length === 0 ? [] : [`${what} ${event[what].join(', ')}`],
  )
  return parts.length === 0 ? '; pairs and served roots are the same' : `: ${parts.join('; ')}`
}

/** Said once of a root. */
export function hardLinkText(root: string, path: string): string {
  return `note: files in ${escapeText(root)} have several names (hard links), ${escapeName(path)} for one: each name is kept equal as a file of its own`
}

/** ': alpha changed (12 bytes, 2026-01-31 12:00:00), beta deleted', or the detail where the versions are not known. */
function versionsText({
  detail,
  alphaVersion,
  betaVersion,
}: AgentEvent & { readonly event: 'conflict-found' }): string {
  if (alphaVersion === undefined || betaVersion === undefined) return detail === '' ? '' : `: ${escapeText(detail)}`
  const why = reasonOf(detail)
  const both = `: alpha ${versionText(alphaVersion)}, beta ${versionText(betaVersion)}`
  return why === '' ? both : `${both}; ${escapeText(why)}`
}

/** What of the detail of a conflict is to be told beside its versions: they say that both sides changed, and how. */
export function reasonOf(detail: string): string {
  return detail.includes('<-?->') ? '' : detail
}

/** 'changed (12 bytes, 2026-01-31 12:00:00)' */
export function versionText({ change, sizeBytes, mtimeNs }: Version): string {
  const what = change === '' ? 'unchanged' : change
  if (sizeBytes === undefined) return what
  const time = mtimeNs === undefined ? undefined : secondText(BigInt(mtimeNs))
  return `${what} (${bytesText(sizeBytes)}${time === undefined ? '' : `, ${time}`})`
}

/** Alpha is left, beta right, as in a plan. */
function arrowTo(side: Side): string {
  return side === 'alpha' ? ' <---' : ' --->'
}

function movedFromText(from: RelPath | undefined): string {
  return from === undefined ? '' : `${nameText(from)} -> `
}

function nameText(path: RelPath): string {
  return path === '' ? '(the root)' : escapeName(path)
}

function committedText(event: AgentEvent & { readonly event: 'cycle-committed' }): string {
  const counts = [`${event.applied} changed`]
  if (event.conflicts > 0) counts.push(`${event.conflicts} in conflict`)
  if (event.problems > 0) counts.push(`${event.problems} with a problem`)
  return `      done       ${counts.join(', ')}; ${bytesText(event.bytes)} in ${durationText(event.durationMs)}`
}
