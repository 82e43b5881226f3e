import { expect, test } from 'vitest'
import { checked, fileFailure } from '../../../src/host/node/file-failure.js'
import { close, errno, errnoName } from '../../../src/host/node/libc.js'
import { codeOf, failureOf } from '../files.suite.js'

const rows: readonly (readonly [string, string, boolean])[] = [
  // errno        code             can waiting help
  ['ENOENT', 'absent', true],
  ['EEXIST', 'exists', true],
  ['EACCES', 'denied', false],
  ['EPERM', 'not-permitted', false],
  ['ENOTDIR', 'not-directory', true],
  ['EISDIR', 'is-directory', true],
  ['ENOTEMPTY', 'not-empty', true],
  ['ELOOP', 'loop', true],
  ['EXDEV', 'crosses', true],
  ['ENOSPC', 'disk-full', true],
  ['EDQUOT', 'disk-full', true],
  ['EROFS', 'read-only', false],
  ['EBUSY', 'busy', true],
  ['ETXTBSY', 'busy', true],
  ['ENAMETOOLONG', 'name-too-long', false],
  ['EILSEQ', 'name-too-long', false],
  ['EMFILE', 'too-many-open', true],
  ['ENFILE', 'too-many-open', true],
  ['EINVAL', 'unsupported', false],
  ['ENOTSUP', 'unsupported', false],
  ['EOPNOTSUPP', 'unsupported', false],
  ['ENOSYS', 'unsupported', false],
  ['ESTALE', 'stale', true],
  ['ENOTCONN', 'stale', true],
  ['EAGAIN', 'interrupted', true],
  ['EINTR', 'interrupted', true],
  ['EIO', 'io', true],
  ['ENXIO', 'io', true],
  ['E4242', 'io', true],
]

test.each(rows)('%s is %s', (errno, code, transient) => {
  const failure = fileFailure('call', '/path', errno)
  expect(failure).toMatchObject({ code, transient, errno, call: 'call', path: '/path' })
})

test('the errno is that of the call, under its own name', () => {
  expect(close(-1)).toBe(-1)
  expect(errnoName(errno())).toBe('EBADF')
  expect(failureOf(() => checked('close', 'x', () => close(-1)))).toMatchObject({ code: 'io', errno: 'EBADF' })
  expect(errnoName(4242)).toBe('E4242')
  expect(errnoName(process.platform === 'linux' ? 95 : 45)).toBe('ENOTSUP')
  expect(errnoName(process.platform === 'linux' ? 11 : 35)).toBe('EAGAIN')
})

test('an answer that is no failure comes out', () => {
  expect(checked('call', 'x', () => 7)).toBe(7)
  expect(codeOf(() => checked('call', 'x', () => 0))).toBe('done')
})
