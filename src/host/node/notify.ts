import { close, errno, errnoName, sendto, socket } from './libc.js'

/** The service manager that started this process, as sd_notify(3) speaks to it. */
export interface ServiceManager {
  /** Hands over a message of lines `NAME=value`. False: its queue is full, or it is not there; nothing was sent. */
  notify(message: string): boolean
  /** It ends a process that does not say WATCHDOG=1 this often; undefined: it does not watch. */
  readonly watchdogMs: number | undefined
}

const unixDomain = 1
const datagrams = 2
/** Not across exec, and never wait. */
const closeOnExec = 0o2000000
const dontWait = 0x40
const noSignal = 0x4000
/** Room for a path in sockaddr_un. */
const pathBytesMax = 108

/** undefined: nobody wants to be told. Linux only. The environment is as systemd sets it: NOTIFY_SOCKET is a path, or '@' and a name. */
export function serviceManager(env: Readonly<Record<string, string | undefined>>): ServiceManager | undefined {
  const address = env.NOTIFY_SOCKET === undefined ? undefined : unixAddress(env.NOTIFY_SOCKET)
  if (address === undefined || process.platform !== 'linux') return undefined
  const watched = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(process.pid)
  const watchdogUs = watched ? Number(env.WATCHDOG_USEC ?? Number.NaN) : Number.NaN
  return {
    notify: (message) => sent(Buffer.from(message), address),
    watchdogMs: watchdogUs > 0 ? watchdogUs / 1_000 : undefined,
  }
}

/** struct sockaddr_un: the family u16 in the machine's order, then the path with its NUL, or a NUL and the abstract name. */
function unixAddress(text: string): Uint8Array | undefined {
  const name = Buffer.from(text)
  const isAbstract = text.startsWith('@')
  if ((!isAbstract && !text.startsWith('/')) || name.length >= pathBytesMax) return undefined
  if (isAbstract) name[0] = 0
  const family = new Uint8Array(new Uint16Array([unixDomain]).buffer)
  return Buffer.concat([family, name, ...(isAbstract ? [] : [Buffer.from([0])])])
}

function sent(message: Uint8Array, address: Uint8Array): boolean {
  const handle = socket(unixDomain, datagrams | closeOnExec, 0)
  if (handle < 0) return false
  try {
    if (sendto(handle, message, message.length, dontWait | noSignal, address, address.length) >= 0) return true
    const code = errnoName(errno())
    // A bug of ours would be EFAULT or EINVAL; everything else is how the manager is.
    if (code === 'EFAULT' || code === 'EINVAL') throw new Error(`sendto: ${code}`)
    return false
  } finally {
    close(handle)
  }
}
