import { spawnSync } from 'node:child_process'
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { hasJournal } from '../../../src/host/node/ext4-journal.js'
import { asNobody, freshDirectory, isRoot } from './fixture.js'

const home = freshDirectory()

const rows: [what: string, options: readonly string[], has: boolean][] = [
  ['an ext4 with a journal', [], true],
  ['an ext4 without one', ['-O', '^has_journal'], false],
]

test.skipIf(!isRoot || process.platform !== 'linux')(
  'S2-15: whether an ext4 has a journal, asked by anybody',
  (context) => {
    for (const [what, options, has] of rows) {
      const [image, mounted] = [`${home}/image-${has}`, `${home}/mounted-${has}`]
      writeFileSync(image, '')
      truncateSync(image, 16 << 20)
      mkdirSync(mounted)
      const run = (command: string, ...given: readonly string[]) => spawnSync(command, given).status === 0
      if (!run('mkfs.ext4', '-q', ...options, image) || !run('mount', '-o', 'loop', image, mounted))
        return context.skip('no right to mount, or no loop devices')
      try {
        const { dev } = statSync(mounted, { bigint: true })
        expect(
          asNobody(() => hasJournal(dev)),
          what,
        ).toBe(has)
      } finally {
        run('umount', mounted)
      }
    }
  },
)

test('of what is no ext4, or no device at all, nothing is known', () => {
  expect(hasJournal(statSync('/proc', { bigint: true }).dev)).toBeUndefined()
  expect(hasJournal(0xffff_ffff_ffffn)).toBeUndefined()
})
