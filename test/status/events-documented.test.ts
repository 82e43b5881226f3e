import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** Names of the union with their fields, out of its source. */
function declared(): Record<string, string[]> {
  const source = text('src/status/event.ts').replace(/\/\*\*[\s\S]*?\*\//g, '')
  const union = source.slice(source.indexOf('export type AgentEvent'), source.indexOf('export type Emit'))
  const events: Record<string, string[]> = {}
  for (const [, body = ''] of union.matchAll(/\|\s*\{([^}]*)\}/g)) {
    const name = /event: '([a-z-]+)'/.exec(body)?.[1]
    if (name !== undefined) events[name] = [...body.matchAll(/readonly (\w+)\??:/g)].flatMap(([, field]) => field ?? [])
  }
  return events
}

/** Names in the tables of the page with the fields beside them. */
function documented(): Record<string, string[]> {
  const events: Record<string, string[]> = {}
  for (const [, name = '', fields = ''] of text('docs/events.md').matchAll(/^\| `([a-z-]+)` \| ([^|]*) \|/gm))
    events[name] = ['event', ...[...fields.matchAll(/`(\w+)`/g)].flatMap(([, field]) => field ?? [])]
  return events
}

test('every event and each of its fields is documented, and nothing else', () => {
  expect(Object.keys(declared()).length).toBeGreaterThan(20)
  expect(documented()).toEqual(declared())
})

test('every code of a problem is documented', () => {
  const source = text('src/core/report.ts')
  const union = source.slice(source.indexOf('export type ProblemCode'), source.indexOf('export interface Problem'))
  const codes = [...union.matchAll(/\| '([a-z-]+)'/g)].flatMap(([, code]) => code ?? [])
  expect(codes.length).toBeGreaterThan(10)
  const [, list = ''] = /`code` of a problem: ([\s\S]*?)\n\n/.exec(text('docs/events.md')) ?? []
  for (const code of codes) expect(list).toContain(`\`${code}\``)
})

test('the example is one of the events, with its fields in order', () => {
  const [, line = '{}'] = /^ {4}(\{.*\})$/m.exec(text('docs/events.md')) ?? []
  const example: unknown = JSON.parse(line)
  const keys = Object.keys(example ?? {})
  expect(keys.slice(0, 2)).toEqual(['version', 'time'])
  expect(keys.slice(2)).toEqual(declared()['path-applied'])
})
