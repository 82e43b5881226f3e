import { describe, expect, test } from 'vitest'
import { Disk, type DiskEvent, type DiskOptions, type Mapping, user } from './disk.js'
import type { Inode } from './inode.js'
import { Dice } from './random.js'

const seeds = Array.from({ length: 200 }, (_, index) => index)

class Bench {
  timeNs = 0
  readonly disk: Disk
  constructor(options: Partial<DiskOptions> = {}) {
    this.disk = new Disk({ device: 1n, wallNs: () => BigInt(this.timeNs), timeNs: () => this.timeNs, ...options })
  }

  get root(): Inode {
    return this.disk.root
  }

  file(name: string, text: string, directory = this.root): Inode {
    const inode = this.disk.create(directory, name, 'file', 0o644, user)
    this.write(inode, text)
    return inode
  }

  write(inode: Inode, text: string, position = 0): void {
    this.disk.write(inode, Buffer.from(text), position, user)
  }

  /** What a name holds: its text, or 'absent'. */
  at(name: string, directory = this.root): string {
    const inode = this.disk.find(directory, name)
    return inode === undefined ? 'absent' : Buffer.from(inode.data).toString()
  }
}

/** Every outcome of a power loss over many seeds, in order and once each. */
function outcomes(prepare: (bench: Bench) => void, look: (bench: Bench) => string): string[] {
  const seen = new Set<string>()
  for (const seed of seeds) {
    const bench = new Bench()
    prepare(bench)
    bench.disk.losePower(new Dice(seed))
    seen.add(look(bench))
  }
  return [...seen].sort()
}

describe('what a power loss leaves', () => {
  test('nothing is lost of what was synced: bytes, and the name in its directory', () => {
    const prepare = (bench: Bench): void => {
      bench.disk.sync(bench.file('f', 'whole'))
      bench.disk.syncDirectory(bench.root)
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['whole'])
  })

  test('a synced file whose directory was not synced may have no name', () => {
    const prepare = (bench: Bench): void => bench.disk.sync(bench.file('f', 'whole'))
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['absent', 'whole'])
  })

  test('E1: a new file may be there with no bytes, or with zeros for some', () => {
    const prepare = (bench: Bench): void => {
      bench.file('f', 'ab')
      bench.disk.syncDirectory(bench.root)
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['', '\0\0', 'a\0', 'ab'])
  })

  test('what is added to a synced file may be missing, cut off or zeros; what was synced is there', () => {
    const prepare = (bench: Bench): void => {
      const inode = bench.file('f', 'ab')
      bench.disk.syncFilesystem()
      bench.write(inode, 'cd', 2)
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['ab', 'ab\0\0', 'abc\0', 'abcd'])
  })

  test('E2: old bytes may stand under the new times, when the size is the same', () => {
    const prepare = (bench: Bench): void => {
      const inode = bench.file('f', 'old')
      bench.disk.syncFilesystem()
      bench.timeNs += 1e9
      bench.write(inode, 'new')
    }
    const look = (bench: Bench): string => `${bench.at('f')} of ${bench.disk.find(bench.root, 'f')?.mtimeNs}`
    const found = outcomes(prepare, look)
    expect(found).toContain('old of 1000000000')
    expect(found).toContain('old of 0')
    expect(found).toContain('new of 1000000000')
    expect(found).toContain('nld of 1000000000')
  })

  test('an atomic save without a sync may be back at the old version, but never gone', () => {
    const prepare = (bench: Bench): void => {
      bench.file('f', 'old')
      bench.disk.syncFilesystem()
      bench.disk.sync(bench.file('draft', 'new'))
      bench.disk.rename(bench.root, 'draft', bench.root, 'f', 'replace', user)
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['new', 'old'])
  })

  test('an exchange is done or not done, whole', () => {
    const prepare = (bench: Bench): void => {
      bench.file('f', 'one')
      bench.file('g', 'other')
      bench.disk.syncFilesystem()
      bench.disk.rename(bench.root, 'f', bench.root, 'g', 'exchange', user)
    }
    expect(outcomes(prepare, (bench) => `${bench.at('f')} ${bench.at('g')}`)).toEqual(['one other', 'other one'])
  })

  test('a rename between directories leaves the file at one of the two names', () => {
    const prepare = (bench: Bench): void => {
      const from = bench.disk.create(bench.root, 'from', 'directory', 0o755, user)
      bench.disk.create(bench.root, 'to', 'directory', 0o755, user)
      bench.file('f', 'text', from)
      bench.disk.syncFilesystem()
      const to = bench.disk.find(bench.root, 'to')
      if (to !== undefined) bench.disk.rename(from, 'f', to, 'f', 'no-replace', user)
    }
    const look = (bench: Bench): string => {
      const names = ['from', 'to'].map((name) => bench.disk.find(bench.root, name))
      return names.map((directory) => (directory === undefined ? 'gone' : bench.at('f', directory))).join(' ')
    }
    expect(outcomes(prepare, look)).toEqual(['absent text', 'text absent'])
  })

  test('the kernel writes back after half a minute what nobody synced', () => {
    const prepare = (bench: Bench): void => {
      bench.file('f', 'whole')
      bench.timeNs += 31e9
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['whole'])
  })

  test('pitfall 15: a failed sync is told once; the next succeeds and saves nothing', () => {
    const prepare = (bench: Bench): void => {
      const inode = bench.file('f', 'old')
      bench.disk.syncFilesystem()
      bench.write(inode, 'new')
      bench.disk.failNextSync = 'io'
      expect(() => bench.disk.syncFilesystem()).toThrow('EIO')
      bench.disk.syncFilesystem()
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).not.toContain('new')
  })

  test('bytes that are written again after a failed sync are saved by the next', () => {
    const prepare = (bench: Bench): void => {
      const inode = bench.file('f', 'old')
      bench.disk.failNextSync = 'io'
      expect(() => bench.disk.syncFilesystem()).toThrow('EIO')
      bench.write(inode, 'new')
      bench.disk.syncFilesystem()
    }
    expect(outcomes(prepare, (bench) => bench.at('f'))).toEqual(['new'])
  })

  test('whatever is dropped, the tree stays a tree and no number is given twice', () => {
    for (const seed of seeds) {
      const bench = new Bench()
      const dice = new Dice(seed)
      for (let step = 0; step < 60; step++) shuffle(bench, dice)
      bench.disk.losePower(dice)
      const numbers = [...bench.disk.reachable()].map((inode) => inode.id)
      expect(new Set(numbers).size).toBe(numbers.length)
      for (const inode of bench.disk.reachable()) expect(inode.freed).toBe(false)
    }
  })
})

/** Some change of names, somewhere; what the disk refuses is no matter. */
function shuffle(bench: Bench, dice: Dice): void {
  const directories = [...bench.disk.reachable()].filter((inode) => inode.kind === 'directory')
  const [from, to] = [dice.pick(directories), dice.pick(directories)]
  const [name, toName] = [dice.pick(['a', 'b', 'c']), dice.pick(['a', 'b', 'c'])]
  try {
    switch (dice.below(6)) {
      case 0:
        bench.file(name, 'text', from)
        break
      case 1:
        bench.disk.create(from, name, 'directory', 0o755, user)
        break
      case 2:
        bench.disk.rename(from, name, to, toName, 'replace', user)
        break
      case 3:
        bench.disk.rename(from, name, to, toName, 'exchange', user)
        break
      case 4:
        bench.disk.removeFile(from, name, user)
        break
      default:
        if (dice.chance(0.3)) bench.disk.syncDirectory(from)
        bench.disk.removeDirectory(from, name, user)
    }
  } catch (error) {
    if (!(error instanceof Error && error.name === 'FileFailure')) throw error
  }
}

describe('what is seen while it runs', () => {
  test('E3: an exchange moves ctime and leaves mtime', () => {
    const bench = new Bench()
    const f = bench.file('f', 'one')
    bench.file('g', 'other')
    bench.timeNs += 1e9
    bench.disk.rename(bench.root, 'f', bench.root, 'g', 'exchange', user)
    expect([f.mtimeNs, f.ctimeNs]).toEqual([0n, 1_000_000_000n])
  })

  test('E5: a second store of a mapping moves no time, the first one does, and so does the first one after a sync', () => {
    const bench = new Bench()
    const f = bench.file('f', 'aaaa')
    const one: Mapping = { storedAfter: undefined }
    bench.timeNs = 1e9
    bench.disk.store(f, Buffer.from('b'), 0, user, one)
    expect(f.mtimeNs).toBe(1_000_000_000n)
    bench.timeNs = 2e9
    bench.disk.store(f, Buffer.from('c'), 1, user, one)
    expect([f.mtimeNs, bench.at('f')]).toEqual([1_000_000_000n, 'bcaa'])
    bench.disk.sync(f)
    bench.disk.setMode(f, 0o600, user)
    bench.timeNs = 3e9
    bench.disk.store(f, Buffer.from('d'), 2, user, one)
    expect(f.mtimeNs).toBe(3_000_000_000n)
    bench.timeNs = 4e9
    bench.disk.store(f, Buffer.from('e'), 2, user, { storedAfter: undefined })
    expect(f.mtimeNs).toBe(4_000_000_000n)
  })

  test('E11: a freed number goes to the next file, one that is still open does not', () => {
    const bench = new Bench()
    const f = bench.file('f', '')
    bench.disk.removeFile(bench.root, 'f', user)
    const g = bench.file('g', '')
    expect(g.id).toBe(f.id)
    bench.disk.open(g, false)
    bench.disk.removeFile(bench.root, 'g', user)
    expect(bench.file('h', '').id).not.toBe(g.id)
  })

  test('times come in ticks', () => {
    const bench = new Bench()
    bench.timeNs = 7_900_000
    expect(bench.file('f', '').mtimeNs).toBe(4_000_000n)
  })

  test('a descriptor goes on writing into a file that was exchanged away', () => {
    const bench = new Bench()
    const f = bench.file('f', 'old')
    bench.file('g', 'new')
    bench.disk.open(f, true)
    bench.disk.rename(bench.root, 'f', bench.root, 'g', 'exchange', user)
    bench.write(f, 'late')
    expect([bench.at('f'), bench.at('g'), f.writers]).toEqual(['new', 'late', 1])
  })
})

describe('a disk that folds names', () => {
  const eventsOf = (bench: Bench): string[] => {
    const events: string[] = []
    bench.disk.listeners.add(({ what, name }: DiskEvent) => events.push(`${what} ${name}`))
    return events
  }

  test('a rename can change the case of a name alone, and is told as any other', () => {
    const bench = new Bench({ folding: 'case' })
    const file = bench.file('File', 'text')
    const events = eventsOf(bench)
    bench.disk.rename(bench.root, 'FILE', bench.root, 'file', 'replace', user)
    expect([...bench.root.entries.values()].map(({ name }) => name)).toEqual(['file'])
    expect(bench.disk.find(bench.root, 'File')).toBe(file)
    expect(events).toEqual(['moved-from File', 'moved-to file'])
    bench.disk.syncDirectory(bench.root)
    bench.disk.losePower(new Dice(1))
    expect([...bench.root.entries.values()].map(({ name }) => name)).toEqual(['file'])
  })

  test('what happens under another case is told of the name as it was created', () => {
    const bench = new Bench({ folding: 'case' })
    bench.file('File', 'text')
    bench.file('draft', 'new')
    const events = eventsOf(bench)
    bench.disk.rename(bench.root, 'draft', bench.root, 'FILE', 'replace', user)
    bench.disk.removeFile(bench.root, 'fILE', user)
    expect(events.filter((event) => !event.startsWith('freed'))).toEqual([
      'moved-from draft',
      'moved-to File',
      'replaced File',
      'removed File',
    ])
  })

  test('a disk that folds case alone distinguishes canonical forms, one that folds both does not', () => {
    for (const [folding, found] of [
      ['case', 'absent'],
      ['case-and-form', 'text'],
    ] as const) {
      const bench = new Bench({ folding })
      bench.file('\u00e9', 'text')
      expect(bench.at('E\u0301')).toBe(found)
    }
  })
})
