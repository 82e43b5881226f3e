import { mkdirSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, namesBelow, sandbox, serve } from './harness.js'
import { mayMount, mountSmall, remount } from './mounts.js'

test.skipIf(!mayMount())(
  'a root that is remounted read-only while two agents are at work: it is told, nothing is lost, and it goes on when it can be written again (only where this user may mount)',
  async () => {
    const box = sandbox()
    expect(mountSmall(box.at('mnt'), 32)).toBe(true)
    for (const root of ['a', 'mnt/b']) mkdirSync(box.at(root))
    for (const name of ['f', 'g', 'gone']) box.write(`a/${name}`, `${name} as it was`)
    const serving = await serve(box, { r: 'mnt/b' })
    const lead = box.start(['watch', 'a', serving.url('r'), '--secret-file', serving.keyFile])
    await eventuallyEqual(box.at('a'), box.at('mnt/b'), () => box.exists('mnt/b/gone'))

    // What could not be acknowledged there would halt the pair instead.
    const staged = () => namesBelow(box.at('mnt/b/.tandem/stage'))
    await eventually(
      () => staged()?.every((path) => !path.includes('/intents/')) ?? false,
      () => `no intent in ${staged()}`,
    )
    await eventually(
      () => remount(box.at('mnt'), 'ro'),
      () => 'a moment in which nothing is open for writing',
    )
    box.write('a/f', 'f of alpha')
    box.write('a/n', 'n of alpha')
    rmSync(box.at('a/gone'))
    const told = (path: string) =>
      lead
        .events()
        .some(({ event, path: at, code }) => event === 'problem-found' && at === path && code === 'read-only')
    await lead.until(() => ['f', 'n', 'gone'].every(told), 'a problem at each path')
    expect((await box.tandem(['status'])).stdout).toMatch(/ 3 problems/)
    expect(box.exists('mnt/b/gone')).toBe(true)
    expect(box.read('mnt/b/f')).toBe('f as it was')
    expect(lead.hasEnded || serving.process.hasEnded).toBe(false)

    expect(remount(box.at('mnt'), 'rw')).toBe(true)
    box.write('mnt/b/g', 'g of beta')
    await eventuallyEqual(
      box.at('a'),
      box.at('mnt/b'),
      () => box.exists('mnt/b/n') && !box.exists('mnt/b/gone') && box.read('a/g') === 'g of beta',
    )
    expect(box.read('a/f')).toBe('f of alpha')
    expect(box.read('mnt/b/n')).toBe('n of alpha')
  },
)
