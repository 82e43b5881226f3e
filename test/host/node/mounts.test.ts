import { expect, test } from 'vitest'
import { absPath } from '../../../src/core/path.js'
import { filesystemBy, mountsIn, mountsOf } from '../../../src/host/node/mounts.js'

const table = [
  '22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
  '30 22 0:31 / /home rw - btrfs /dev/sdb rw',
  '36 22 0:40 / /mnt/nas rw,relatime shared:1 - nfs4 nas:/export rw',
  '37 22 0:41 / /mnt/with\\040blank rw - fuse.sshfs me@there: rw',
  '38 22 0:42 / /over rw - ext4 /dev/sdc rw',
  '39 22 0:43 / /over rw - cifs //s/share rw',
  '40 36 0:44 / /mnt/nas/inner rw - tmpfs tmpfs rw',
  '41 22 0:45 / /auto rw - autofs systemd-1 rw',
  '',
].join('\n')

const links: Record<string, string> = {
  '/home/me/nas': '/mnt/nas',
  '/home/me/back': '../../home/me/b',
  '/home/me/up': '../../mnt/./nas/x',
  '/round': '/round',
}

const rows = [
  ['the root', '/', 'ext4'],
  ['what is nowhere else', '/usr/lib', 'ext4'],
  ['a mount', '/home/me', 'btrfs'],
  ['a name that only begins like a mount', '/homeless', 'ext4'],
  ['a network', '/mnt/nas/photos', 'nfs'],
  ['behind a network: that is on the way', '/mnt/nas/inner/x', 'nfs'],
  ['a mount with a blank', '/mnt/with blank/x', 'fuse'],
  ['the last of several at one point', '/over/x', 'cifs'],
  ['what is mounted when it is looked at', '/auto/x', 'autofs'],
  ['a link to a network', '/home/me/nas/x', 'nfs'],
  ['a relative link', '/home/me/back/x', 'btrfs'],
  ['a relative link to a network', '/home/me/up', 'nfs'],
  ['a way up', '/mnt/../home/me', 'btrfs'],
  ['links in a circle', '/round/x', undefined],
] as const

test.each(rows)('%s', (_, path, filesystem) => {
  const asked: string[] = []
  const found = filesystemBy(mountsOf(table), path, (at) => {
    asked.push(at)
    return links[at]
  })
  expect(found).toBe(filesystem)
  // A file system that may hang is not asked for anything.
  expect(asked.filter((at) => at.startsWith('/mnt/') || at.startsWith('/auto') || at.startsWith('/over'))).toEqual([])
})

test('what is mounted below a directory, by its path from there', () => {
  const mounts = mountsOf(table)
  expect(mountsIn(mounts, absPath('/mnt'))).toEqual(['nas', 'with blank', 'nas/inner'])
  expect(mountsIn(mounts, absPath('/mnt/nas'))).toEqual(['inner'])
  expect(mountsIn(mounts, absPath('/home/me'))).toEqual([])
  expect(mountsIn(mounts, absPath('/'))).toContain('home')
})
