import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeName } from '../../../src/core/path.js'
import { openAbsolute, openBeneath, partsOf, walkBeneath } from '../../../src/host/node/beneath.js'
import { close } from '../../../src/host/node/libc.js'
import { codeOf } from '../files.suite.js'
import { freshDirectory } from './fixture.js'

const root = freshDirectory()
mkdirSync(`${root}/top/a/b`, { recursive: true })
mkdirSync(`${root}/outside/b`, { recursive: true })
writeFileSync(`${root}/top/file`, '')
symlinkSync('a', `${root}/top/link`)
symlinkSync('../outside', `${root}/top/out`)
symlinkSync('/', `${root}/top/absolute`)

const ways = [
  ['in one call', openBeneath],
  ['component by component', walkBeneath],
] as const

const rows: readonly (readonly [string, string])[] = [
  ['', 'done'],
  ['a', 'done'],
  ['a/b', 'done'],
  ['nothing', 'absent'],
  ['nothing/b', 'absent'],
  ['file', 'not-directory'],
  ['file/b', 'not-directory'],
  ['link', 'loop'],
  ['link/b', 'loop'],
  ['out', 'loop'],
  ['out/b', 'loop'],
  ['absolute/tmp', 'loop'],
]

for (const [way, open] of ways) {
  test.each(rows)(`${way}: %s is %s`, (path, code) => {
    const before = descriptors()
    const top = openAbsolute(`${root}/top`)
    let opened = -1
    expect(
      codeOf(() => {
        opened = open(top, path, path)
      }),
    ).toBe(code)
    if (code === 'done' && process.platform === 'linux')
      expect(readlinkSync(`/proc/self/fd/${opened}`)).toBe(`${root}/top${path === '' ? '' : `/${path}`}`)
    if (opened >= 0) close(opened)
    close(top)
    expect(descriptors()).toBe(before)
  })
}

test('a path is cut where the kernel needs it, and no part is absolute but the first', () => {
  const names = Array.from({ length: 60 }, (_, count) => `${count}-${'\u20ac'.repeat(60)}`)
  for (const path of [names.join('/'), `/${names.join('/')}`, `/${names.join('//')}/`, `//${names.join('/')}`]) {
    const parts = partsOf(path)
    expect(parts.length).toBeGreaterThan(1)
    for (const part of parts) expect(encodeName(part).length).toBeLessThan(4096)
    expect(parts.slice(1).every((part) => !part.startsWith('/'))).toBe(true)
    expect(parts[0]?.startsWith('/')).toBe(path.startsWith('/'))
    expect(parts.flatMap((part) => part.split('/')).filter((name) => name !== '')).toEqual(names)
  }
  expect(partsOf('')).toEqual(['.'])
  expect(partsOf('/')).toEqual(['/'])
})

/** How many descriptors this process has open, or 0 where that cannot be seen. */
function descriptors(): number {
  if (process.platform !== 'linux') return 0
  let count = 0
  for (let fd = 0; fd < 256; fd++) {
    try {
      readlinkSync(`/proc/self/fd/${fd}`)
      count++
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return count
}
