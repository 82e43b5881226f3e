/** File systems behind another machine or process, as Directory.space names them: a call may never return. */
const distant: ReadonlySet<string> = new Set([
  '9p',
  'afpfs',
  'afs',
  'autofs',
  'ceph',
  'cifs',
  'coda',
  'fuse',
  'gfs2',
  'gpfs',
  'lustre',
  'nfs',
  'ocfs2',
  'smb',
  'vboxsf',
  'vmhgfs',
  'webdav',
])

export function isDistant(filesystem: string): boolean {
  return distant.has(filesystem)
}
