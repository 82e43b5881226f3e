import { unreachable } from '../core/assert.js'
import type { RelPath } from '../core/path.js'
import { bytesText, durationText } from './amounts.js'
import { escapeName, escapeText } from './escape.js'
import type { AgentEvent, Side } from './event.js'

/** What a person at a terminal is told of an event, on one line; undefined for what would only be noise there. */
export function lineOf(event: AgentEvent): string | undefined {
  switch (event.event) {
    case 'pair-opened':
      return `keeping equal: ${escapeText(event.alpha)} and ${escapeText(event.beta)}`
    case 'pair-halted':
      return `halted: ${escapeText(event.detail)} (${event.code})`
    case 'pair-resumed':
      return 'going on'
    case 'scan-started':
    case 'cycle-started':
      return undefined
    case 'scan-finished':
      return `looked at ${escapeText(event.root)}: ${event.paths} paths in ${durationText(event.durationMs)}`
    case 'watch-degraded':
      return `cannot watch all of ${escapeText(event.root)}: ${escapeText(event.detail)}; polled instead: ${event.paths.map(nameText).join(', ')}`
    case 'path-applied':
      return `${arrowTo(event.to)} ${event.what.padEnd(10)} ${nameText(event.path)}${event.bytes > 0 ? ` (${bytesText(event.bytes)})` : ''}`
    case 'conflict-found':
      return `<-?-> conflict   ${nameText(event.path)}${event.detail === '' ? '' : `: ${escapeText(event.detail)}`}`
    case 'problem-found':
      return `error ${event.code.padEnd(10)} ${nameText(event.path)} on ${event.side}: ${escapeText(event.detail)}`
    case 'cycle-committed':
      return event.applied + event.conflicts + event.problems === 0 ? undefined : committedText(event)
    case 'pair-current':
      return 'in sync'
    case 'link-opened':
      return `connected to ${escapeText(event.peer)}`
    case 'link-lost':
      return `no connection to ${escapeText(event.peer)}: ${escapeText(event.detail)} (${event.code}); next attempt in ${durationText(event.retryInMs)}`
    case 'peer-accepted':
      return `peer ${escapeText(event.peer)} uses ${escapeText(event.root)} from ${escapeText(event.remote)}`
    case 'peer-left':
      return `peer ${escapeText(event.peer)} left (${escapeText(event.code)})`
    case 'peer-refused':
      return `refused a connection from ${escapeText(event.remote)}: ${escapeText(event.detail)} (${event.code})`
    case 'store-moved-aside':
      return `${escapeText(event.path)} was moved aside to ${escapeText(event.movedTo)}: ${escapeText(event.why)}`
    case 'listening':
      return `listening on ${event.address}`
    case 'stopping':
      return `stopping (${event.signal})`
    default:
      return unreachable(event)
  }
}

/** Alpha is left, beta right, as in a plan. */
function arrowTo(side: Side): string {
  return side === 'alpha' ? ' <---' : ' --->'
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
