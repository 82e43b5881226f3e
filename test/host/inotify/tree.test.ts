import { expect, test } from 'vitest'
import { pathOf, type WatchedDirectory, WatchTree } from '../../../src/host/node/inotify/tree.js'

/** A tree from lines 'path watch'; the root has watch 1. */
function treeOf(...lines: string[]): { tree: WatchTree; at: (path: string) => WatchedDirectory } {
  const tree = new WatchTree()
  tree.attach(tree.root, 1)
  function at(path: string): WatchedDirectory {
    return path.split('/').reduce((parent, name) => tree.member(parent, name), tree.root)
  }
  for (const line of lines) {
    const [path = '', watch = ''] = line.split(' ')
    tree.attach(at(path), Number(watch))
  }
  return { tree, at }
}

function pathsOf(tree: WatchTree, watch: number): string[] {
  return [...tree.directoriesOf(watch)].map(pathOf).sort()
}

test('a path is made of the names from the root down', () => {
  const { tree, at } = treeOf('a 2', 'a/b 3', 'a/b/c 4')
  expect(pathOf(tree.root)).toBe('')
  expect(pathOf(at('a/b/c'))).toBe('a/b/c')
  expect(pathsOf(tree, 3)).toEqual(['a/b'])
})

test('an unknown watch stands for nothing', () => {
  const { tree } = treeOf('a 2')
  expect(pathsOf(tree, 7)).toEqual([])
  expect(tree.forget(7)).toEqual([])
})

test('E9: one watch stands for both views of a bind mount, and is free only with the last', () => {
  const { tree, at } = treeOf('a 2', 'b 2')
  expect(pathsOf(tree, 2)).toEqual(['a', 'b'])
  expect(tree.drop(at('a'))).toEqual([])
  expect(pathsOf(tree, 2)).toEqual(['b'])
  expect(tree.drop(at('b'))).toEqual([2])
  expect(pathsOf(tree, 2)).toEqual([])
})

test('a dropped subtree gives every watch of its own free, and is no longer part of the tree', () => {
  const { tree, at } = treeOf('a 2', 'a/b 3', 'a/b/c 4', 'z 5')
  const [a, c] = [at('a'), at('a/b/c')]
  expect(tree.drop(a).sort()).toEqual([2, 3, 4])
  expect([a.dropped, c.dropped]).toEqual([true, true])
  expect(tree.watches).toBe(2)
  expect(at('a')).not.toBe(a)
})

test('a moved directory, watched at its new place first, keeps its watches when the old place is dropped', () => {
  const { tree, at } = treeOf('old 2', 'old/b 3')
  tree.attach(at('new'), 2)
  tree.attach(at('new/b'), 3)
  expect(tree.drop(at('old'))).toEqual([])
  expect(pathsOf(tree, 3)).toEqual(['new/b'])
})

test('a watch that the kernel gave up leaves its directories without one', () => {
  const { tree, at } = treeOf('a 2', 'b 2')
  expect(tree.forget(2).map(pathOf).sort()).toEqual(['a', 'b'])
  expect(at('a').watch).toBeUndefined()
  expect(tree.drop(at('a'))).toEqual([])
})

test('what cannot be watched is known until it is watched or gone', () => {
  const { tree, at } = treeOf('a 2')
  for (const name of ['x', 'y', 'z']) tree.markUnwatched(at(`a/${name}`))
  tree.attach(at('a/x'), 9)
  tree.drop(at('a/y'))
  expect([...tree.unwatched].map(pathOf)).toEqual(['a/z'])
  tree.drop(at('a'))
  expect(tree.unwatched.size).toBe(0)
})
