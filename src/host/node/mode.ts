import { checked, fileFailure } from './file-failure.js'
import {
  atFlags,
  type CPath,
  close,
  cPath,
  errno,
  errnoName,
  fchmodat,
  fchmodat2,
  onLinux,
  openat,
  openFlags,
} from './libc.js'
import { statDescriptor } from './stat.js'

/** chmod of the member `name` of `fd`; never of what a symbolic link points to. `label` is for the message. @throws FileFailure */
export const setModeOf = onLinux ? setModeOfLinux : setModeOfMacos

function setModeOfLinux(fd: number, name: CPath, mode: number, label: string): void {
  if (!haveFchmodat2 || !trySetMode(fd, name, mode, label)) setModeByPlace(fd, name, mode, label)
}

let haveFchmodat2 = true

/** False where the kernel or a sandbox has no such call. */
function trySetMode(fd: number, name: CPath, mode: number, label: string): boolean {
  for (;;) {
    if (fchmodat2(fd, name, mode, atFlags.symlinkNoFollow) === 0) return true
    const why = errnoName(errno())
    if (why === 'ENOSYS') haveFchmodat2 = false
    // EPERM: a sandbox that does not know the call, or a file of another user. The other way settles which.
    if (why === 'ENOSYS' || why === 'EPERM') return false
    if (why !== 'EINTR') throw fileFailure('fchmodat2', label, why)
  }
}

/** Through the place that a descriptor holds: whatever the name becomes meanwhile, it is this member. */
export function setModeByPlace(fd: number, name: CPath, mode: number, label: string): void {
  const flags = openFlags.path | openFlags.noFollow | openFlags.closeOnExec
  const place = checked('open', label, () => openat(fd, name, flags, 0))
  try {
    if (statDescriptor(place, label).kind === 'symlink') throw fileFailure('fchmodat', label, 'ENOTSUP')
    checked('fchmodat', label, () => fchmodat(atFlags.currentDirectory, cPath(`/proc/self/fd/${place}`), mode, 0))
  } finally {
    close(place)
  }
}

function setModeOfMacos(fd: number, name: CPath, mode: number, label: string): void {
  checked('fchmodat', label, () => fchmodat(fd, name, mode, atFlags.symlinkNoFollow))
}
