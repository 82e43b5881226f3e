import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { eventually, eventuallyEqual, namesBelow, sandbox } from './harness.js'

const immutable = new Set<string>()
// What nobody may remove must be removable before the sandbox goes.
afterEach(() => {
  for (const path of immutable) change(path, '-i')
})

/** chattr +i and -i. Answers why it was refused. */
function change(path: string, how: '+i' | '-i'): string | undefined {
  const { status, stderr, error } = spawnSync('chattr', [how, path], { encoding: 'utf8' })
  if (status !== 0) return error?.message ?? stderr
  if (how === '+i') immutable.add(path)
  else immutable.delete(path)
  return undefined
}

/** Why no file can be made immutable here. */
function whyNot(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root of a Linux may do that'
  const place = mkdtempSync(`${tmpdir()}/tandem-immutable-`)
  writeFileSync(`${place}/f`, '')
  const why = change(`${place}/f`, '+i')
  if (why === undefined) change(`${place}/f`, '-i')
  rmSync(place, { recursive: true })
  return why
}

const why = whyNot()
const says = why === undefined ? '' : ` (skipped: ${why.trim()})`

test.skipIf(why !== undefined)(
  `an immutable file in the way is a problem at its path, the rest travels, and it is done once it may be${says}`,
  async () => {
    const box = sandbox()
    for (const [path, text] of Object.entries({
      f: 'f as it was',
      'd/gone': 'gone as it was',
      other: 'other as it was',
    }))
      box.write(`a/${path}`, text)
    mkdirSync(box.at('b'))
    const agent = box.start(['watch', 'a', 'b'])
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/other'))
    const refused = (path: string) =>
      agent.events().some(({ event, path: at, code }) => event === 'problem-found' && at === path && code === 'denied')

    for (const path of ['b/f', 'b/d/gone']) expect(change(box.at(path), '+i')).toBeUndefined()
    box.write('a/f', 'f of alpha')
    rmSync(box.at('a/d/gone'))
    box.write('a/other', 'other of alpha')
    await agent.until(() => box.read('b/other') === 'other of alpha', 'the rest')
    expect(box.read('b/f')).toBe('f as it was')
    expect(box.read('b/d/gone')).toBe('gone as it was')
    // The first attempt at what was looked at before it was made immutable may only say that it has changed since.
    await agent.until(() => refused('f') && refused('d/gone'), 'both refused')
    expect((await box.tandem(['status'])).stdout).toMatch(/ 2 problems/)
    const staged = () => namesBelow(box.at('b/.tandem/stage'))
    await eventually(
      () => staged()?.every((path) => !/\/(in|out|intents)\//.test(path)) ?? false,
      () => `empty staging: ${staged()}`,
    )

    // Nobody tells of it: it is tried again.
    for (const path of ['b/f', 'b/d/gone']) expect(change(box.at(path), '-i')).toBeUndefined()
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.read('b/f') === 'f of alpha' && !box.exists('b/d/gone'))
  },
)
