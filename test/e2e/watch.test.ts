import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  eventually,
  eventuallyEqual,
  portOf,
  type Running,
  type Sandbox,
  type Serving,
  sandbox,
  serve,
} from './harness.js'

/** A pair of a and b over the link, with a few files, in sync. */
async function linked(): Promise<{ box: Sandbox; serving: Serving; lead: Running }> {
  const box = sandbox()
  for (const name of ['one', 'two', 'd/three']) box.write(`a/${name}`, name)
  box.write('b/four', 'four')
  const serving = await serve(box, { photos: 'b' })
  const lead = watch(box, serving)
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/four'))
  return { box, serving, lead }
}

function watch(box: Sandbox, serving: Serving): Running {
  return box.start(['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile])
}

describe('over the link', () => {
  test('edits on both sides travel while it runs', async () => {
    const { box } = await linked()
    box.write('a/one', 'edited on a')
    box.write('b/two', 'edited on b')
    box.write('b/new/deep/file', 'new on b')
    rmSync(box.at('a/d'), { recursive: true })
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/new/deep/file') && !box.exists('b/d'))
    expect([box.read('b/one'), box.read('a/two')]).toEqual(['edited on a', 'edited on b'])
  })

  test('many files at once, made and renamed', async () => {
    const { box } = await linked()
    for (let at = 0; at < 500; at++) box.write(`a/many/${at % 10}/${at}`, `file ${at}`)
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/many/9/499'))
    renameSync(box.at('b/many'), box.at('b/moved'))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/moved/9/499') && !box.exists('a/many'))
  })

  test('a conflict stays on both sides and is told once it is found; the rest goes on', async () => {
    const { box, serving, lead } = await linked()
    lead.signal('SIGUSR2')
    expect((await lead.ended).code).toBe(0)
    box.write('a/one', 'from a')
    box.write('b/one', 'from b, longer')
    const again = watch(box, serving)
    expect((await again.event('conflict-found')).path).toBe('one')
    box.write('b/two', 'still travels')
    await eventually(
      () => box.read('a/two') === 'still travels',
      () => again.stderr,
    )
    expect([box.read('a/one'), box.read('b/one')]).toEqual(['from a', 'from b, longer'])
    again.signal('SIGUSR2')
    expect((await again.ended).code).toBe(1)
  })

  test('a peer that goes and comes back is found again, with what changed meanwhile on both sides', async () => {
    const { box, serving, lead } = await linked()
    await serving.process.kill()
    await lead.event('link-lost')
    box.write('a/meanwhile', 'on a')
    box.write('b/meantime', 'on b')
    await serve(box, { photos: 'b' }, portOf(serving.address))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/meantime') && box.exists('b/meanwhile'))
  })

  test('either end is killed in the middle of its work and started again: nothing is lost', async () => {
    const { box, serving, lead } = await linked()
    for (let at = 0; at < 300; at++) box.write(`a/many/${at}`, `file ${at} `.repeat(50))
    await lead.until(() => box.exists('b/many'), 'the first of many')
    lead.signal('SIGKILL')
    await lead.ended
    box.write('b/while-down', 'on b')
    rmSync(box.at('a/many/7'))
    const again = watch(box, serving)
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/while-down') && box.exists('b/many/299'))
    expect(box.exists('b/many/7')).toBe(false)

    for (let at = 0; at < 300; at++) box.write(`a/more/${at}`, `more ${at} `.repeat(50))
    await again.until(() => box.exists('b/more'), 'the first of more')
    serving.process.signal('SIGKILL')
    await serving.process.ended
    await serve(box, { photos: 'b' }, portOf(serving.address))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/more/299'))
    for (let at = 0; at < 300; at++) expect(box.read(`b/more/${at}`)).toBe(`more ${at} `.repeat(50))
  })
})

describe('between two local roots', () => {
  test('changes travel both ways until it is stopped', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    const agent = box.start(['watch', 'a', 'b'])
    await agent.event('pair-current')
    box.write('b/g', 'y')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/g'))
    agent.signal('SIGUSR2')
    expect(await agent.ended).toMatchObject({ code: 0, signal: null })
  })

  test.each([
    // signal   exit code
    ['SIGUSR2', 0],
    ['SIGTERM', 3],
    ['SIGINT', 3],
  ] as const)('%s ends it with %i', async (signal, code) => {
    const box = sandbox()
    box.write('a/f', 'x')
    mkdirSync(box.at('b'))
    const agent = box.start(['watch', 'a', 'b'])
    await agent.event('pair-current')
    agent.signal(signal)
    expect(await agent.ended).toMatchObject({ code, signal: null })
    expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
  })

  test('SIGUSR1 opens the log again', async () => {
    const box = sandbox()
    mkdirSync(box.at('a'))
    mkdirSync(box.at('b'))
    const agent = box.start(['watch', 'a', 'b', '--logfile', box.at('log')])
    await eventually(
      () => box.exists('log') && box.read('log').includes('pair-current'),
      () => agent.stderr,
    )
    renameSync(box.at('log'), box.at('log.1'))
    agent.signal('SIGUSR1')
    await eventually(
      () => box.exists('log'),
      () => 'a new log',
    )
    box.write('a/f', 'x')
    await eventually(
      () => box.read('log').includes('"path":"f"'),
      () => 'the change in the new log',
    )
  })

  test('a repeat of n seconds works without events', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    const agent = box.start(['sync', 'a', 'b', '--repeat', '1'])
    await eventually(
      () => box.exists('b/f'),
      () => agent.stderr,
    )
    box.write('b/g', 'y')
    await eventually(
      () => box.exists('a/g'),
      () => agent.stderr,
    )
  })
})

test('a serving agent ends with 0 on every signal', async () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const) {
    const box = sandbox()
    mkdirSync(box.at('b'))
    const serving = await serve(box, { photos: 'b' })
    serving.process.signal(signal)
    expect(await serving.process.ended).toMatchObject({ code: 0, signal: null })
  }
})
