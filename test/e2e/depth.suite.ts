import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { sandbox } from './harness.js'

/** Makes `depth` directories in each other below a directory, and a file in each `every`th; no path may be too long for it. */
function chain(top: string, name: string, depth: number, every: number): void {
  let fd = openSync(top, 'r')
  for (let at = 1; at <= depth; at++) {
    const here = `/proc/self/fd/${fd}`
    mkdirSync(`${here}/${name}`)
    const next = openSync(`${here}/${name}`, 'r')
    closeSync(fd)
    fd = next
    if (at % every === 0) writeFileSync(`/proc/self/fd/${fd}/file`, `at depth ${at}`)
  }
  closeSync(fd)
}

/** What the file in the directory at each depth holds, of those that have one. */
function filesOfChain(top: string, name: string): string[] {
  const found: string[] = []
  let fd = openSync(top, 'r')
  for (;;) {
    const members = readdirSync(`/proc/self/fd/${fd}`)
    if (members.includes('file')) found.push(readFileSync(`/proc/self/fd/${fd}/file`, 'utf8'))
    if (!members.includes(name)) break
    const next = openSync(`/proc/self/fd/${fd}/${name}`, 'r')
    closeSync(fd)
    fd = next
  }
  closeSync(fd)
  return found
}

/** Removes what has paths that are too long for node. */
function removeAll(...paths: string[]): void {
  const done = spawnSync('rm', ['-rf', ...paths])
  if (done.status !== 0) throw new Error(`rm: ${done.stderr}`)
}

export function describeDepths(rows: readonly (readonly [what: string, name: string, levels: number])[]): void {
  describe.skipIf(process.platform !== 'linux')('depth (needs /proc/self/fd to build it)', () => {
    test.each(rows)(
      '%s',
      async (_, name, depth) => {
        const box = sandbox()
        mkdirSync(box.at('a'))
        mkdirSync(box.at('b'))
        try {
          chain(box.at('a'), name, depth, 1)
          box.write('a/neighbour', 'x')
          expect(await box.tandem(['sync', 'a', 'b'])).toMatchObject({ code: 0, stderr: '' })
          expect(filesOfChain(box.at('b'), name)).toEqual(
            Array.from({ length: depth }, (_, at) => `at depth ${at + 1}`),
          )
          expect(box.read('b/neighbour')).toBe('x')
          // Every path is found from the root down: a thousand levels take a while, and once is enough.
          if (depth > 100) return
          const again = await box.tandem(['sync', 'a', 'b'])
          expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/all files are equal/) })
          // And all of it goes again, from the leaves up.
          removeAll(box.at('b', name))
          expect(await box.tandem(['sync', 'a', 'b'])).toMatchObject({ code: 0, stderr: '' })
          expect(readdirSync(box.at('a')).toSorted()).toEqual(['.tandem', 'neighbour'])
        } finally {
          removeAll(box.at('a'), box.at('b'))
        }
      },
      120_000,
    )
  })
}
