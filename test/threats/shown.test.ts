import { expect, test } from 'vitest'
import { sandbox, serve } from '../e2e/harness.js'

/** Names that a terminal, a log or a list of paths could take for something else. */
const names = [
  '\x1b[31mred\x1b]0;title\x07',
  '\x9b31m',
  'one\ntandem: all is well',
  'back\rover',
  'photo\u202egpj.exe',
  'nothing\u200b\ufeff',
  '\u2028line',
  '$(touch owned);`touch owned`',
  '-rf',
]

/** All but the newline: what must be in no output, of whatever command. */
const unsafe = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]/u

test('T13: whatever files are called, nothing that is told of them steers a terminal, leaves its line or is run', async () => {
  const box = sandbox()
  for (const name of names) {
    box.write(`a/${name}`, 'of a')
    box.write(`b/${name}`, 'of b, and longer')
    box.write(`a/new ${name}/inner`, 'new')
  }
  const serving = await serve(box, { docs: 'b' })
  const url = serving.url('docs')
  const given = [url, '--secret-file', serving.keyFile]
  const said: string[] = []
  const lines: string[] = []
  for (const more of [['--batch'], ['--batch', '--verbose'], ['--json'], ['--dry-run']]) {
    const end = await box.tandem(['sync', 'a', ...given, ...more])
    said.push(end.stdout, end.stderr)
    if (more[0] === '--json') lines.push(...end.stdout.trim().split('\n'))
  }
  const watch = box.start(['watch', 'a', ...given])
  await watch.event('pair-current')
  for (const command of ['status', 'conflicts', 'log'])
    for (const more of [[], ['--json']]) {
      const end = await box.tandem([command, ...more])
      said.push(end.stdout, end.stderr)
      if (more.length > 0) lines.push(...end.stdout.trim().split('\n'))
    }
  for (const name of names) {
    const end = await box.tandem(['restore', `a/${name}`])
    said.push(end.stdout, end.stderr)
  }
  for (const running of [watch, serving.process]) {
    running.signal('SIGTERM')
    const end = await running.ended
    said.push(end.stdout, end.stderr)
    lines.push(...end.stderr.trim().split('\n'))
  }
  const all = said.join('\n')
  // They were told of.
  for (const shown of ['\\x1b[31mred', 'one\\ntandem: all is well', 'photo\\u202egpj.exe']) expect(all).toContain(shown)
  expect(unsafe.exec(all)).toBeNull()
  expect(all.split('\n')).not.toContain('tandem: all is well')
  expect(box.exists('owned') || box.exists('a/owned') || box.exists('b/owned')).toBe(false)
  // For a program each name is there as it is.
  const parsed = lines.filter((line) => line.startsWith('{')).map((line): unknown => JSON.parse(line))
  expect(parsed.length).toBeGreaterThan(names.length)
  for (const name of names) expect(JSON.stringify(parsed)).toContain(JSON.stringify(name).slice(1, -1))
})
