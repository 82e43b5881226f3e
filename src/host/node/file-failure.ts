import { type FileCode, FileFailure } from '../files.js'
import { beat } from './heartbeat.js'
import { errno, errnoName } from './libc.js'

/** An interrupted call is repeated this often: enough for any storm of signals, and not for ever. */
const repeatsMax = 100

/**
 * The answer of `run`, one C call, repeated while a signal interrupts it. `call` and `path` are for the message.
 * @throws FileFailure when it answers -1
 */
export function checked(call: string, path: string, run: () => number): number {
  for (let repeat = 0; ; repeat++) {
    const answer = run()
    beat()
    if (answer >= 0) return answer
    const why = errnoName(errno())
    if (why !== 'EINTR' || repeat === repeatsMax) throw fileFailure(call, path, why)
  }
}

export function fileFailure(call: string, path: string, errnoName: string): FileFailure {
  return new FileFailure(codes[errnoName] ?? 'io', path, call, errnoName)
}

const codes: { readonly [errnoName: string]: FileCode } = {
  ENOENT: 'absent',
  EEXIST: 'exists',
  EACCES: 'denied',
  EPERM: 'not-permitted',
  ENOTDIR: 'not-directory',
  EISDIR: 'is-directory',
  ENOTEMPTY: 'not-empty',
  ELOOP: 'loop',
  EXDEV: 'crosses',
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EROFS: 'read-only',
  EBUSY: 'busy',
  ETXTBSY: 'busy',
  ENAMETOOLONG: 'name-too-long',
  EILSEQ: 'name-too-long',
  EMFILE: 'too-many-open',
  ENFILE: 'too-many-open',
  EINVAL: 'unsupported',
  ENOTSUP: 'unsupported',
  EOPNOTSUPP: 'unsupported',
  ENOSYS: 'unsupported',
  ESTALE: 'stale',
  ENOTCONN: 'stale',
  EAGAIN: 'interrupted',
  EINTR: 'interrupted',
}
