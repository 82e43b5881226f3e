import { describe, expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { scopeOf } from '../../src/core/paths.js'

type Row = [what: string, paths: string[], inside: string[], leading: string[], outside: string[]]

describe('the scope of path', () => {
  const rows: Row[] = [
    ['no path: everything', [], ['', 'a', 'a/b'], [], []],
    ['the root: everything', ['a', ''], ['', 'b'], [], []],
    ['one path: it and all below', ['a'], ['a', 'a/b', 'a/b/c'], [''], ['b', 'ab', 'a.b']],
    ['a deep path: its parents lead to it', ['a/b/c'], ['a/b/c', 'a/b/c/d'], ['', 'a', 'a/b'], ['a/x', 'a/b/x', 'x']],
    ['several', ['a/b', 'c'], ['a/b', 'c/x'], ['', 'a'], ['a/c', 'b']],
    ['a nested one adds nothing', ['a/b', 'a'], ['a', 'a/c'], [''], ['b']],
    ['a star: all members, not the directory', ['a/*'], ['a/b', 'a/b/c', 'a/.x'], ['', 'a'], ['b', 'ab/c']],
    ['a star alone: all members of the root', ['*'], ['a', 'a/b', '.x'], [''], []],
    ['a star elsewhere is a character', ['a*/b'], ['a*/b'], ['', 'a*'], ['ab/b']],
  ]
  test.each(rows)('%s', (_, paths, inside, leading, outside) => {
    const scope = scopeOf(paths.map(relPath))
    for (const path of inside) {
      expect([path, scope.inScope(relPath(path))]).toEqual([path, true])
      expect([path, scope.leadsToScope(relPath(path))]).toEqual([path, false])
    }
    for (const path of leading) {
      expect([path, scope.inScope(relPath(path))]).toEqual([path, false])
      expect([path, scope.leadsToScope(relPath(path))]).toEqual([path, true])
    }
    for (const path of outside) {
      expect([path, scope.inScope(relPath(path))]).toEqual([path, false])
      expect([path, scope.leadsToScope(relPath(path))]).toEqual([path, false])
    }
  })

  test.each([
    ['nested paths are reduced to the outermost', ['a/b/c', 'a/b', 'a', 'b/c'], ['a', 'b/c']],
    ['a path given twice stays once', ['a', 'a'], ['a']],
    ['a directory absorbs its star', ['a/*', 'a'], ['a']],
    ['a star absorbs what is below', ['a/b', 'a/b/c', 'a/*'], ['a/*']],
    ['a star of the root absorbs everything', ['a', '*', 'b/*'], ['*']],
    ['neighbours with a common beginning stay', ['a', 'ab', 'a.b'], ['a', 'ab', 'a.b']],
    ['the root is everything', ['', 'a'], []],
  ])('%s', (_, paths, outermost) => {
    expect(scopeOf(paths.map(relPath)).paths).toEqual(outermost)
  })
})
