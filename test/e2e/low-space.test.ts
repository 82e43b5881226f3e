import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { asked, eventually, eventuallyEqual, namesBelow, type Running, type Sandbox, sandbox } from './harness.js'
import { mayMount, mountSmall } from './mounts.js'

const mib = 1024 ** 2
/** Pairs `tight`, of a and the small disk b, and `other`, of c and d; a file of 4 MiB has been replaced, so b keeps a version. */
async function tight(): Promise<{ box: Sandbox; agent: Running }> {
  const box = sandbox()
  expect(mountSmall(box.at('b'), 32)).toBe(true)
  box.write('a/f', Buffer.alloc(4 * mib, 1))
  for (const name of ['c', 'd']) mkdirSync(box.at(name))
  const pairs = [
    `[[pair]]\nname = "tight"\nalpha = "${box.at('a')}"\nbeta = "${box.at('b')}"\nminfree = "25%"`,
    `[[pair]]\nname = "other"\nalpha = "${box.at('c')}"\nbeta = "${box.at('d')}"`,
  ]
  box.write('agent.toml', pairs.join('\n\n'), { mode: 0o600 })
  const agent = box.start(['run', '--config', 'agent.toml'])
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/f'))
  box.write('a/f', Buffer.alloc(4 * mib, 2))
  await eventuallyEqual(box.at('a'), box.at('b'), () => versions(box)?.length === 1)
  return { box, agent }
}

/** undefined: they are just being removed. */
function versions(box: Sandbox): string[] | undefined {
  return namesBelow(box.at('b/.tandem/versions'))?.filter((one) => one.includes('~'))
}

describe.skipIf(!mayMount())('a disk with less room than minfree asks for (only where this user may mount)', () => {
  test('versions go first; then the pair halts, in numbers, and goes on by itself; other pairs do not notice', async () => {
    const { box, agent } = await tight()
    // 24 MiB are free of 32, and 8 are asked for. With 18 more it is 6, and the version of 4 makes up for that.
    box.write('a/g', Buffer.alloc(14 * mib, 3))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/g'))
    expect(versions(box)).toHaveLength(1)
    // Somebody else fills the disk.
    box.write('b/of beta', Buffer.alloc(4 * mib, 4))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/of beta'))
    // The disk is looked at once a second.
    const arrives = await edited(box, 'first', () => versions(box)?.length === 0)
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists(`b/${arrives}`))
    expect(agent.events().filter(({ event }) => event === 'pair-halted')).toEqual([])

    box.write('b/more', Buffer.alloc(4 * mib, 5))
    await eventually(
      () => box.exists('a/more'),
      () => 'more',
    )
    const last = await edited(box, 'second', () => agent.events().some(({ event }) => event === 'pair-halted'))
    const halted = await agent.event('pair-halted')
    expect(halted).toMatchObject({ pair: 'tight', code: 'low-space' })
    const numbers =
      /\/b: [567]\.\d MiB free of 32\.0 MiB, and minfree = 25% asks for 8\.0 MiB\. .*Free some space on its disk/
    expect(halted.detail).toMatch(numbers)
    const status = await box.tandem(['status'])
    expect(status.code).toBe(2)
    expect(status.stdout).toMatch(/^tight +halted .*\(low-space\)/m)
    expect(status.stdout).toMatch(numbers)
    expect(box.exists(`b/${last}`)).toBe(false)
    const scans = () =>
      agent.events().filter(({ event, root }) => event === 'scan-started' && root === box.at('b')).length
    const before = scans()

    box.write('c/n', 'the other pair')
    await eventuallyEqual(box.at('c'), box.at('d'), () => box.exists('d/n'))
    await asked(box, ['status'], ({ stdout }) => /^other +watching/m.test(stdout))
    await eventually(
      () => readdirSync(box.at('b/.tandem/stage')).every((one) => staged(box, one) === 0),
      () => 'staging to be empty',
    )

    rmSync(box.at('b/g'))
    expect(await agent.event('pair-resumed')).toMatchObject({ pair: 'tight' })
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists(`b/${last}`) && !box.exists('a/g'))
    // It was watched all the while.
    expect(scans()).toBe(before)
  }, 60_000)

  test('one pass ends with 3, says the same, and does nothing', async () => {
    const box = sandbox()
    expect(mountSmall(box.at('b'), 8)).toBe(true)
    box.write('a/f', 'x')
    const low = await box.tandem(['sync', 'a', 'b', '-minfree', '1GiB'])
    expect(low.code).toBe(3)
    expect(low.stderr).toMatch(/\/b: .* free of .*, and minfree asks for 1\.0 GiB/)
    expect(low.stderr).toMatch(/Free some space on its disk, and run it again\.\n.*-minfree 100MiB/)
    expect(box.exists('b/f')).toBe(false)
    expect((await box.tandem(['sync', 'a', 'b', '-minfree', '0'])).code).toBe(0)
    expect(box.read('b/f')).toBe('x')
  })
})

/** Files come, one after the other, until the condition holds. Answers the last. */
async function edited(box: Sandbox, what: string, condition: () => boolean): Promise<string> {
  for (let number = 1; ; number++) {
    const name = `${what} ${number}`
    box.write(`a/${name}`, 'x')
    await eventually(
      () => condition() || box.exists(`b/${name}`),
      () => name,
    )
    if (condition()) return name
  }
}

function staged(box: Sandbox, folder: string): number {
  return readdirSync(box.at('b/.tandem/stage', folder, 'in')).length
}
