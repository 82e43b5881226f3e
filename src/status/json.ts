import { escapeJson } from './escape.js'
import type { AgentEvent } from './event.js'

/** Version of the form of these objects: fields and events may be added within it, see docs/events.md. */
export const eventsVersion = 1

/** An event as one line of JSON without its newline, for a program that reads along. `wallMs`: milliseconds since 1970. */
export function jsonLine(event: AgentEvent, wallMs: number): string {
  return escapeJson(JSON.stringify({ version: eventsVersion, time: new Date(wallMs).toISOString(), ...event }))
}
