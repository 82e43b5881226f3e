import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, type Running, type Sandbox, sandbox, serve } from './harness.js'

const files = 2_500
/** Paths of which nine tenths may go: the files, their directory and the one that stays; and how many are left then. */
const all = files + 2
const stay = all - Math.floor(0.9 * all)

/** A root a of so many files and a few that stay, and an empty b. */
function filled(): Sandbox {
  const box = sandbox()
  for (const directory of ['a/many', 'b']) mkdirSync(box.at(directory), { recursive: true })
  for (let at = 0; at < files; at++) writeFileSync(box.at(`a/many/${at}`), `${at}`)
  box.write('a/stays', 'here')
  return box
}

function removeMany(box: Sandbox, side: string, from: number, to: number): void {
  for (let at = from; at < to; at++) rmSync(box.at(`${side}/many/${at}`))
}

const count = (box: Sandbox, path: string) => (box.exists(path) ? readdirSync(box.at(path)).length : 0)

/** Everything in a root but what is tandem's own. */
const paths = (box: Sandbox, side: string) =>
  readdirSync(box.at(side), { recursive: true, encoding: 'utf8' }).filter((path) => !path.startsWith('.tandem')).length

async function conflicts(box: Sandbox, state = box.at('state')): Promise<string> {
  return (await box.tandem(['conflicts', '--state-dir', state])).stdout
}

async function resumed(box: Sandbox, name: string, state = box.at('state')): Promise<void> {
  const { code, stderr } = await box.tandem(['resume', '--confirm', name, '--state-dir', state])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

test('in one pass: removals over the budget are held as a whole, the rest travels, and -confirmbigdel=false lets them go', async () => {
  const box = filled()
  expect((await box.tandem(['sync', '--batch', 'a', 'b'])).code).toBe(0)
  removeMany(box, 'a', 0, 2_300)
  box.write('a/new', 'travels')
  const held = await box.tandem(['sync', '--batch', 'a', 'b'])
  expect(held.code).toBe(1)
  expect(held.stdout).toContain('it would remove 2,299 paths')
  expect([count(box, 'b/many'), box.exists('b/new')]).toEqual([files, true])
  // It stays so, until it is let go.
  expect((await box.tandem(['sync', '--batch', 'a', 'b'])).code).toBe(1)
  expect(count(box, 'b/many')).toBe(files)
  expect((await box.tandem(['sync', '--batch', '-confirmbigdel=false', 'a', 'b'])).code).toBe(0)
  expect(count(box, 'b/many')).toBe(200)
  expect((await box.tandem(['restore', 'b/many'])).code).toBe(0)
  expect((await box.tandem(['sync', '--batch', 'a', 'b'])).code).toBe(0)
  expect(count(box, 'a/many')).toBe(files)
}, 240_000)

test('while watching: however slowly they arrive, and what is made again takes them back', async () => {
  const box = filled()
  const lead = box.start(['watch', 'a', 'b'])
  await eventuallyEqual(box.at('a'), box.at('b'), () => count(box, 'b/many') === files)
  for (const to of [1_000, 1_500, 1_900]) {
    removeMany(box, 'a', to === 1_000 ? 0 : to === 1_500 ? 1_000 : 1_500, to)
    await eventuallyEqual(box.at('a'), box.at('b'), () => count(box, 'b/many') === files - to)
  }
  removeMany(box, 'a', 1_900, 2_400)
  await heldFor(box, lead)
  // What arrives one by one goes one by one, up to the budget.
  expect(paths(box, 'b')).toBeGreaterThanOrEqual(stay)
  box.write('a/new', 'travels')
  await eventually(
    () => box.exists('b/new'),
    () => lead.stderr,
  )
  for (let at = 1_900; at < 2_400; at++) writeFileSync(box.at(`a/many/${at}`), `${at}`)
  await eventuallyEqual(box.at('a'), box.at('b'))
  expect((await box.tandem(['flush'])).code).toBe(0)
})

async function heldFor(box: Sandbox, lead: Running): Promise<void> {
  await lead.until(
    () => lead.events().some((one) => one.event === 'problem-found' && String(one.detail).includes('it would remove')),
    'what is held',
  )
  // So many are let go as were held when somebody said so: all of them are to be known by then.
  await box.tandem(['flush'])
  expect(await conflicts(box)).toContain('tandem resume')
}

test('tandem resume --confirm lets go of what a root of this agent holds', async () => {
  const box = filled()
  const lead = box.start(['watch', 'a', 'b'])
  await eventuallyEqual(box.at('a'), box.at('b'), () => count(box, 'b/many') === files)
  removeMany(box, 'a', 0, 2_400)
  await heldFor(box, lead)
  expect(paths(box, 'b')).toBeGreaterThanOrEqual(stay)
  await resumed(box, 'a b')
  await eventuallyEqual(box.at('a'), box.at('b'), () => count(box, 'b/many') === 100)
})

test('S2-20: a served root holds for itself, whoever leads; only who is at its machine lets go', async () => {
  const box = filled()
  const serving = await serve(box, { photos: 'b' })
  // The lead does not mind.
  const args = ['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile, '-confirmbigdel=false']
  const lead = box.start(args)
  await eventuallyEqual(box.at('a'), box.at('b'), () => count(box, 'b/many') === files)
  rmSync(box.at('a/many'), { recursive: true })
  await heldFor(box, lead)
  expect(paths(box, 'b')).toBeGreaterThanOrEqual(stay)
  await resumed(box, 'photos', box.at('serving-state'))
  await box.tandem(['rescan'])
  await eventuallyEqual(box.at('a'), box.at('b'), () => !box.exists('b/many'))
})

test('an emptied root is held while watching, and goes once it is confirmed', async () => {
  const box = sandbox()
  box.write('a/one', 'one')
  box.write('a/two', 'two')
  const lead = box.start(['watch', 'a', 'b'])
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/two'))
  for (const name of ['one', 'two']) rmSync(box.at(`a/${name}`))
  await lead.until(() => lead.events().some((one) => one.code === 'held'), 'what is held')
  await box.tandem(['flush'])
  expect(box.exists('b/one')).toBe(true)
  await resumed(box, 'a b')
  await eventuallyEqual(box.at('a'), box.at('b'), () => !box.exists('b/one'))
})
