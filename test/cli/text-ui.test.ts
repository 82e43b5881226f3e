import { expect, test } from 'vitest'
import type { Item } from '../../src/agent/agent-types.js'
import { planLines, residentSummaryLines, summaryLines } from '../../src/cli/layout.js'
import { keysOf, TextUi } from '../../src/cli/text-ui.js'
import { absent, type Content } from '../../src/core/content.js'
import { relPath } from '../../src/core/path.js'
import type { Found } from '../../src/core/report.js'
import { Tally } from '../../src/status/tally.js'

const names = { alpha: 'a.tmp', beta: 'b.tmp' }
const file: Content = { kind: 'file', fingerprint: undefined, sizeBytes: 9, props: { mode: 0o644, mtimeNs: undefined } }

function item(path: string, part: Partial<Item>): Item {
  return {
    path: relPath(path),
    kind: 'change',
    alpha: '',
    beta: '',
    direction: 'none',
    detail: '',
    bytes: 0,
    alphaContent: absent,
    betaContent: absent,
    ...part,
  }
}

// The manual's tutorial.
const a = item('a', { alpha: 'deleted', direction: 'to-beta' })
const c = item('c', { beta: 'new file', direction: 'to-alpha', betaContent: file })
const h = item('d/h', {
  kind: 'conflict',
  alpha: 'new file',
  beta: 'new file',
  detail: 'new on both sides',
  alphaContent: file,
  betaContent: file,
})
const problem: Found = { kind: 'problem', code: 'special', detail: 'a fifo' }
const x = item('x', { kind: 'problem', detail: 'a fifo is never synchronized', alphaContent: problem })

/** Presses the keys and answers everything that was shown. */
function shown(items: readonly Item[], keys: string): { text: string; ui: TextUi } {
  const ui = new TextUi(items, names)
  let text = ui.start()
  for (const key of keysOf(keys)) text += ui.press(key)
  return { text, ui }
}

test('the screen of the tutorial', () => {
  const { text, ui } = shown([a, c, h], 'f\r/y')
  expect(text).toBe(
    [
      '',
      'a.tmp          b.tmp',
      'deleted   --->            a  [f] ',
      '          <--- new file   c  [f] ',
      'new file <-?-> new file   d/h  [] \rnew file <-?-> new file   d/h      ',
      '',
      'Proceed with propagating updates? [] y',
      '',
    ].join('\n'),
  )
  expect(ui.decided).toEqual(['default', 'default', 'skip'])
})

const keys: [string, string, readonly string[] | 'quit' | undefined][] = [
  // what is done                          keys       choices for a, c, d/h
  ['every recommendation', 'fffy', ['default', 'default', 'default']],
  ['Return follows too', '\r\r\ry', ['default', 'default', 'default']],
  ['a terminal that turns it into a newline', '\n\n\ny', ['default', 'default', 'default']],
  ['the conflict goes to the right', 'ff>y', ['default', 'default', 'to-beta']],
  ['the conflict goes to the left', 'ff,y', ['default', 'default', 'to-alpha']],
  ['against the arrow', '<>/y', ['to-alpha', 'to-beta', 'skip']],
  ['with the arrow keys', '\x1b[D\x1b[C\x1bOCy', ['to-alpha', 'to-beta', 'to-beta']],
  ['nothing more is asked after g', '>g', ['to-beta', 'default', 'default']],
  ['s goes to the last question', 's', undefined],
  ['s and then yes', 'sy', ['default', 'default', 'default']],
  ['g at the last question', 'sg', ['default', 'default', 'default']],
  ['Return is no answer to the last question', 'fff\r', undefined],
  ['back from the last question', 'fffp>y', ['default', 'default', 'to-beta']],
  ['no: through them again', 'fffn/ffy', ['skip', 'default', 'default']],
  ['back to the one before', '/p<ffy', ['to-alpha', 'default', 'default']],
  ['a decision taken back', '/pr' + 'nffy', ['default', 'default', 'default']],
  ['looking without deciding', 'nnxlL?' + 'ny', ['default', 'default', 'default']],
  ['all others are skipped', 'f%', ['default', 'skip', 'skip']],
  ['to the last and the first', '9>p0/' + 'sy', ['skip', 'default', 'to-beta']],
  ['a key without a meaning', 'Zfffy', ['default', 'default', 'default']],
  ['quit', 'ffq', 'quit'],
  ['quit at the last question', 'fffq', 'quit'],
  ['Ctrl-C', 'f\x03', 'quit'],
  ['Escape', 'f\x1b', 'quit'],
  ['the end of the input', '\x04', 'quit'],
  ['the end of the input of script', '\0', 'quit'],
  ['keys after the end change nothing', 'q>>>y', 'quit'],
]
test.each(keys)('at the prompt: %s', (_, pressed, decided) => {
  const { ui, text } = shown([a, c, h], pressed)
  // f% leaves a to be propagated, so one question remains.
  if (pressed === 'f%') ui.press('y')
  expect(ui.decided).toEqual(decided)
  expect(text).not.toContain('undefined')
})

test('an override is shown with a double arrow', () => {
  expect(shown([a], '<').text).toContain('\rdeleted   <===            a')
  expect(shown([h], '>').text).toContain('new file  ===> new file   d/h')
})

test('a problem is shown and not asked about', () => {
  const { text, ui } = shown([x, a, x], 'fy')
  expect(text).toContain('error')
  expect(text).toContain('a fifo is never synchronized')
  expect(ui.decided).toEqual(['default', 'default', 'default'])
})

test('with nothing to propagate nothing is asked at the end', () => {
  const { text, ui } = shown([h], 'f')
  expect(text).toContain('No updates to propagate')
  expect(ui.decided).toEqual(['default'])
  expect(shown([x], '').ui.decided).toEqual(['default'])
})

test('details name both sides', () => {
  expect(shown([h], 'x').text).toContain('    a.tmp : new file  file, 9 bytes, mode 0644')
})

test('a plan shows conflicts and problems with both sides', () => {
  expect(planLines([a, h, x], names)).toEqual([
    'deleted   --->            a',
    'new file <-?-> new file   d/h',
    '    new on both sides',
    '    a.tmp : new file  file, 9 bytes, mode 0644',
    '    b.tmp : new file  file, 9 bytes, mode 0644',
    '         error            x',
    '    a fifo is never synchronized',
    '    a.tmp : unchanged special: a fifo',
    '    b.tmp : unchanged nothing there',
  ])
})

test('what was moved is one line, with both places', () => {
  const moved = item('e/g', { from: relPath('d/f'), alpha: 'moved', direction: 'to-beta', alphaContent: file })
  expect(planLines([moved], names)).toEqual(['moved     --->            d/f -> e/g'])
})

test('names in a plan are safe to show', () => {
  expect(planLines([item('\x1b[2J', { alpha: 'new file', direction: 'to-beta' })], names)).toEqual([
    'new file  --->            \\x1b[2J',
  ])
})

const result = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }
test('the summary', () => {
  const tally = new Tally()
  expect(summaryLines(result, tally, 7)).toEqual([
    'Nothing to do: replicas have been fully synchronized; all files are equal.',
  ])
  tally.note({ event: 'path-applied', pair: 'p', path: relPath('c'), to: 'alpha', what: 'created', bytes: 9 })
  expect(summaryLines({ ...result, applied: 1, bytes: 9, items: [c] }, tally, 1_500)).toEqual([
    'Synchronization complete  (1 item transferred, 0 skipped, 0 failed)',
    '  1 copied, 0 deleted, 0 conflicts, 0 problems; 9 bytes in 1.5 s',
  ])
  tally.note({ event: 'path-applied', pair: 'p', path: relPath('a'), to: 'beta', what: 'removed', bytes: 0 })
  tally.note({ event: 'path-applied', pair: 'p', path: relPath('d'), to: 'beta', what: 'properties', bytes: 0 })
  tally.note({ event: 'hard-links-found', root: '/a', path: relPath('x\x1b') })
  expect(summaryLines({ ...result, applied: 3, skipped: 1, failed: 1, items: [a, c, h] }, tally, 65_000)).toEqual([
    'note: files in /a have several names (hard links), x\\x1b for one: each name is kept equal as a file of its own',
    '  skipped: d/h (new on both sides)',
    'Synchronization incomplete  (3 items transferred, 1 skipped, 1 failed)',
    '  1 copied, 1 deleted, 1 with new properties, 1 conflict, 1 problem; 9 bytes in 1 min 5 s',
  ])
})

test('the summary of a resident pair', () => {
  const tally = new Tally()
  const conflict = { event: 'conflict-found', path: relPath('f'), detail: '' } as const
  for (const pair of ['one', 'two', 'two']) tally.note({ ...conflict, pair })
  tally.note({ event: 'problem-found', pair: 'one', path: relPath('g'), side: 'beta', code: 'io', detail: '' })
  expect(residentSummaryLines({ ...result, skipped: 2 }, tally, 7_265_000)).toEqual([
    'left as it is: 2 skipped, 0 failed',
    '  0 copied, 0 deleted, 2 conflicts, 1 problem; 0 bytes in 2 h 1 min',
  ])
})
