import { expect, test } from 'vitest'
import { type DiskFacts, diskText, durabilityFaults } from '../../src/status/durability-faults.js'

const good: DiskFacts = {
  filesystem: 'ext',
  freeBytes: 5 * 1024 ** 3,
  mount: { type: 'ext4', options: ['rw', 'relatime'] },
  abilities: { exchange: true, noReplace: true, lease: true },
  kernel: '6.1.0-20-amd64',
  platform: 'linux',
  journal: true,
  durability: 'power-loss',
}

const rows: [what: string, facts: Partial<DiskFacts>, faults: RegExp[]][] = [
  ['a disk as it should be', {}, []],
  ['memory', { filesystem: 'tmpfs', mount: undefined }, [/memory/]],
  ['a network', { filesystem: 'nfs', mount: { type: 'nfs4', options: [] } }, [/another machine/]],
  ['a program', { filesystem: 'fuse', mount: { type: 'fuse.sshfs', options: [] } }, [/FUSE/]],
  ['ext2', { mount: { type: 'ext2', options: [] } }, [/no journal/]],
  ['an ext4 without a journal', { journal: false }, [/^ext4 has no journal/]],
  ['an ext4 of which it is not known', { journal: undefined }, []],
  [
    'a journal that the mount leaves out',
    { journal: false, mount: { type: 'ext4', options: ['noload'] } },
    [/its journal/],
  ],
  ['a root that is to outlive a kill', { durability: 'process' }, [/^durability is "process": nothing here is synced/]],
  ['a stick', { filesystem: 'vfat', mount: undefined }, [/no journal/]],
  ['a volatile overlay', { filesystem: 'overlay', mount: { type: 'overlay', options: ['volatile'] } }, [/volatile/]],
  ['no barriers', { mount: { type: 'ext4', options: ['barrier=0'] } }, [/barriers/]],
  ['an old kernel', { kernel: '5.4.0-100-generic' }, [/5\.8/]],
  ['no exchange, no leases', { abilities: { exchange: false, noReplace: true, lease: false } }, [/absent/, /minute/]],
  ['abilities that were not tried', { abilities: undefined }, []],
  ['a system without syncfs', { platform: 'macos', kernel: '23.1.0', filesystem: 'apfs' }, [/syncfs/]],
]

test.each(rows)('%s', (_, facts, faults) => {
  expect(durabilityFaults({ ...good, ...facts })).toEqual(faults.map((fault) => expect.stringMatching(fault)))
})

test('where it lies', () => {
  expect(diskText(good)).toBe('5.0 GiB free on ext (ext4, rw,relatime)')
  expect(diskText({ ...good, mount: undefined })).toBe('5.0 GiB free on ext')
})
