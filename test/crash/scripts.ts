import type { Preferences } from '../../src/config/preferences.js'
import { relPath } from '../../src/core/path.js'
import type { Meeting } from '../sim/faults.js'
import type { ScriptStep } from '../sim/simulate.js'
import type { UserFiles, UserHandle } from '../sim/user-files.js'
import type { SimWorld } from '../sim/world.js'
import { restoreNewest } from './restoring.js'

/** What users do in one short history that is cut off at every effect. Every version is written once. */
export interface Script {
  readonly name: string
  /** Before the agents start; the tree of `usualTree` on alpha if it says nothing else. */
  readonly before?: (alpha: Hands, beta: Hands) => void
  readonly steps: readonly ScriptStep[]
  /** Effects count from the start of the agents, not from the first step. */
  readonly fromStart?: boolean
  /** How long after the beginning its last step comes. */
  readonly lastMs?: number
  /** As on a command line. */
  readonly preferences?: Partial<Preferences>
  /** Most records of one transaction, where that is fewer than usual. */
  readonly recordsMax?: number
}

/** A user's hands: paths are plain text here. */
export class Hands {
  constructor(private readonly files: UserFiles) {}

  create(path: string, text: string): void {
    this.files.create(relPath(path), text)
  }

  /** As most editors save. */
  save(path: string, text: string): void {
    const aside = `${path}.swp`
    // A power loss may have left it.
    if (this.has(aside)) this.remove(aside)
    this.create(aside, text)
    this.rename(aside, path)
  }

  /** In place. */
  write(path: string, text: string): void {
    const handle = this.files.open(relPath(path))
    handle.truncate(0)
    handle.append(text)
    handle.close()
  }

  open(path: string): UserHandle {
    return this.files.open(relPath(path))
  }

  rename(path: string, to: string): void {
    this.files.rename(relPath(path), relPath(to))
  }

  remove(path: string): void {
    this.files.removeTree(relPath(path))
  }

  mkdir(path: string): void {
    this.files.makeDirectory(relPath(path))
  }

  link(path: string, target: string): void {
    this.files.makeSymlink(relPath(path), target)
  }

  chmod(path: string, mode: number): void {
    this.files.setMode(relPath(path), mode)
  }

  touch(path: string, mtimeNs: bigint): void {
    this.files.setTime(relPath(path), mtimeNs)
  }

  has(path: string): boolean {
    return this.files.paths().has(relPath(path))
  }
}

/** When the pair has long been equal. */
export const beginMs = 1_500

type Act = (alpha: Hands, beta: Hands, world: SimWorld) => void

function hands(world: SimWorld): [Hands, Hands] {
  return [new Hands(world.users[0].files), new Hands(world.users[1].files)]
}

/** So many milliseconds after the beginning. */
function after(ms: number, act: Act): ScriptStep {
  return { atMs: beginMs + ms, act: (world) => act(...hands(world), world) }
}

/** Just before a job of that name makes that call. */
function meet(before: Meeting['before'], act: Act): ScriptStep {
  return { before, act: (world) => act(...hands(world), world) }
}

function once(name: string, act: Act): Script {
  return { name, steps: [after(0, act)] }
}

export function usualTree(alpha: Hands): void {
  alpha.create('f', 'f as it was')
  alpha.create('g', 'g as it was')
  alpha.mkdir('d')
  alpha.create('d/x', 'x as it was')
  alpha.create('d/y', 'y as it was')
  alpha.mkdir('d/in')
  alpha.create('d/in/z', 'z as it was')
  alpha.mkdir('e')
  alpha.link('l', 'to f')
}

const large = (token: string, sizeBytes = 600_000): string => `${token} `.padEnd(sizeBytes, token)

/** The first of them are searched by every npm test. */
export const scripts: readonly Script[] = [
  once('a file is created', (alpha) => alpha.create('n', 'n of alpha')),
  once('a file is saved as editors do', (_, beta) => beta.save('f', 'f of beta')),
  once('a file is removed', (alpha) => alpha.remove('f')),
  once('a directory is renamed', (alpha) => alpha.rename('d', 'moved')),
  once('a directory becomes a file', (alpha) => {
    alpha.remove('d')
    alpha.create('d', 'd is a file')
  }),
  once('both sides edit one file', (alpha, beta) => {
    alpha.save('f', 'f of alpha')
    beta.save('f', 'f of beta')
  }),
  once('each side edits, removes and creates', (alpha, beta) => {
    alpha.save('f', 'f of alpha')
    alpha.remove('d/x')
    beta.write('g', 'g of beta')
    beta.create('d/n', 'n of beta')
  }),
  once('a file is written in place', (alpha) => alpha.write('f', 'f of alpha')),
  {
    name: 'a user saves just before the exchange',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha')),
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, (_, beta) => beta.save('f', 'f of beta, in between')),
    ],
  },
  {
    name: 'a user saves just before a removal',
    steps: [
      after(0, (alpha) => alpha.remove('f')),
      meet({ call: 'rename', job: 'apply', subject: 'f to' }, (_, beta) => beta.save('f', 'f of beta, in between')),
    ],
  },
  {
    name: 'the link is cut while a file travels',
    steps: [
      after(0, (alpha) => alpha.create('n', large('large of alpha'))),
      after(14, (_, __, world) => world.network.cutAll()),
    ],
  },
  {
    name: 'it is edited again while it travels',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha, 1')),
      after(8, (alpha) => alpha.save('f', 'f of alpha, 2')),
    ],
  },
  {
    name: 'they meet for the first time, partly equal',
    before: (alpha, beta) => {
      usualTree(alpha)
      beta.create('f', 'f as it was')
      beta.create('g', 'another g')
      beta.mkdir('d')
      beta.create('d/own', 'own of beta')
    },
    steps: [],
    fromStart: true,
  },
  once('a file is renamed', (alpha) => alpha.rename('f', 'h')),
  once('a file is renamed over another', (alpha) => alpha.rename('f', 'g')),
  once('a file is moved into a directory', (alpha) => alpha.rename('f', 'd/in/f')),
  once('two files change places', (alpha) => {
    alpha.rename('f', 'tmp')
    alpha.rename('g', 'f')
    alpha.rename('tmp', 'g')
  }),
  once('a directory is made', (alpha) => alpha.mkdir('n')),
  once('an empty directory is removed', (_, beta) => beta.remove('e')),
  once('a tree is unpacked', (alpha) => {
    alpha.mkdir('n')
    alpha.mkdir('n/m')
    for (const name of ['1', '2', '3']) alpha.create(`n/m/${name}`, `${name} of alpha`)
    alpha.create('n/4', '4 of alpha')
  }),
  once('a tree is removed', (_, beta) => beta.remove('d')),
  once('a directory is moved into another', (alpha) => alpha.rename('d', 'e/d')),
  once('a directory is moved and edited inside', (alpha) => {
    alpha.rename('d', 'moved')
    alpha.save('moved/x', 'x of alpha')
  }),
  once('a file becomes a directory', (alpha) => {
    alpha.remove('f')
    alpha.mkdir('f')
    alpha.create('f/n', 'n of alpha')
  }),
  once('a file becomes a link', (alpha) => {
    alpha.remove('f')
    alpha.link('f', 'to g')
  }),
  once('a link becomes a file', (_, beta) => {
    beta.remove('l')
    beta.create('l', 'l of beta')
  }),
  once('a link is turned', (alpha) => {
    alpha.link('l.new', 'to g')
    alpha.rename('l.new', 'l')
  }),
  once('the mode of a file', (alpha) => alpha.chmod('f', 0o600)),
  once('the mode of a directory', (_, beta) => beta.chmod('d', 0o700)),
  once('the time of a file', (alpha) => alpha.touch('f', 1_600_000_000_123_456_789n)),
  once('a mode here and an edit there', (alpha, beta) => {
    alpha.chmod('f', 0o600)
    beta.write('f', 'f of beta')
  }),
  once('both make the same edit', (alpha, beta) => {
    alpha.save('f', 'f of both')
    beta.save('f', 'f of both')
  }),
  once('a deletion here and an edit there', (alpha, beta) => {
    alpha.remove('f')
    beta.save('f', 'f of beta')
  }),
  once('a tree removed here and edited inside there', (alpha, beta) => {
    alpha.remove('d')
    beta.save('d/in/z', 'z of beta')
  }),
  once('both remove it', (alpha, beta) => {
    alpha.remove('f')
    beta.remove('f')
  }),
  once('both create one name', (alpha, beta) => {
    alpha.create('n', 'n of alpha')
    beta.create('n', 'n of beta')
  }),
  once('both make one directory', (alpha, beta) => {
    alpha.mkdir('n')
    alpha.create('n/a', 'a of alpha')
    beta.mkdir('n')
    beta.create('n/b', 'b of beta')
  }),
  once('removed and made again with the same size', (alpha) => {
    alpha.remove('f')
    alpha.create('f', 'F AS IT WAS')
  }),
  {
    name: 'edited and taken back',
    steps: [after(0, (alpha) => alpha.save('f', 'f of alpha')), after(30, (alpha) => alpha.save('f', 'f as it was'))],
  },
  once('a large file is replaced', (alpha) => alpha.create('n', large('large of alpha'))),
  once('forty small files', (alpha) => {
    for (let n = 0; n < 40; n++) alpha.create(`n${n}`, `${n} of alpha`)
  }),
  {
    name: 'a directory comes with files, and its user goes on in it at once',
    before: newDirectory,
    fromStart: true,
    steps: [
      meet({ call: 'sync-filesystem', job: 'sync' }, (_, beta) => {
        if (!beta.has('n')) return
        beta.create('n/own', 'n of beta')
        beta.save('n/1', '1 of beta')
        beta.write('n/2', '2 of beta')
      }),
      after(100, (_, beta) => {
        if (beta.has('n')) beta.create('n/later', 'n of beta, later')
      }),
    ],
  },
  {
    name: 'a user makes the directory just before it comes with files',
    steps: [
      after(0, newDirectory),
      meet({ call: 'rename', job: 'apply', subject: 'to n' }, (_, beta) => {
        beta.mkdir('n')
        beta.create('n/own', 'n of beta, in between')
      }),
    ],
  },
  {
    name: 'alpha alone has files when they meet',
    steps: [],
    fromStart: true,
  },
  {
    name: 'both have other files when they meet',
    before: (alpha, beta) => {
      alpha.create('a', 'a of alpha')
      beta.mkdir('b')
      beta.create('b/b', 'b of beta')
    },
    steps: [],
    fromStart: true,
  },
  {
    name: 'both sides are edited while they do not reach each other',
    steps: [
      after(0, (_, __, world) => world.partNetwork()),
      after(10, (alpha, beta) => {
        alpha.save('f', 'f of alpha')
        beta.remove('d')
        beta.create('n', 'n of beta')
      }),
      after(300, (_, __, world) => world.joinNetwork()),
    ],
  },
  {
    name: 'a program holds the file and goes on writing',
    steps: holding(),
    lastMs: 1_720,
  },
  {
    name: 'a user writes in place just before the exchange',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha')),
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, (_, beta) => beta.write('f', 'f of beta, in between')),
    ],
  },
  {
    name: 'a user saves before the exchange, and again before it is taken back',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha')),
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, (_, beta) => beta.save('f', 'f of beta, first')),
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, (_, beta) => beta.save('f', 'f of beta, second')),
    ],
  },
  {
    name: 'a user removes it just before the exchange',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha')),
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, (_, beta) => beta.remove('f')),
    ],
  },
  {
    name: 'a user makes the name just before it is published',
    steps: [
      after(0, (alpha) => alpha.create('n', 'n of alpha')),
      meet({ call: 'rename', job: 'apply', subject: 'to n' }, (_, beta) => beta.create('n', 'n of beta, in between')),
    ],
  },
  {
    name: 'a user makes a file in a directory that is just being removed',
    steps: [
      after(0, (alpha) => alpha.remove('d')),
      meet({ call: 'remove-directory', job: 'apply', subject: 'd' }, (_, beta) => {
        beta.create(beta.has('d/in') ? 'd/in/n' : 'd/n', 'n of beta, in between')
      }),
    ],
  },
  {
    name: 'a user saves while the file is read to be sent',
    steps: [
      after(0, (alpha) => alpha.write('f', 'f of alpha, 1')),
      meet({ call: 'read', job: 'supply-next' }, (alpha) => alpha.write('f', 'f of alpha, 2')),
    ],
  },
  {
    name: 'a large file is overwritten while it is read to be sent',
    steps: [
      after(0, (alpha) => alpha.create('n', large('first of alpha'))),
      meet({ call: 'read', job: 'supply-next' }, () => {}),
      // The first slice has been read.
      meet({ call: 'read', job: 'supply-next' }, (alpha) => {
        const handle = alpha.open('n')
        handle.write(large('second of alpha').slice(0, 600_000), 0)
        handle.close()
      }),
    ],
  },
  {
    name: 'a large file is cut off twice, and goes on where it was',
    steps: [
      after(0, (alpha) => alpha.create('n', large('large of alpha', 1_200_000))),
      meet({ call: 'write', job: 'stage' }, () => {}),
      meet({ call: 'write', job: 'stage' }, (_, __, world) => world.network.cutAll()),
      meet({ call: 'write', job: 'stage' }, (_, __, world) => world.network.cutAll()),
    ],
    lastMs: 800,
  },
  {
    // Of the receiver: one of the user's own file is the first of the known limits.
    name: 'a sync of the receiver fails once',
    steps: [
      after(0, (alpha, _, world) => {
        for (const disk of world.disks.slice(1)) disk.failNextSync = 'io'
        alpha.save('f', 'f of alpha')
        alpha.create('n', 'n of alpha')
      }),
    ],
  },
  {
    // The second of two on each side, after the first has had its last look, is more than may be.
    name: 'versions are let go for their size while changes travel',
    preferences: { keep: { ageMs: 86_400_000, sizeBytes: 20 } },
    steps: [
      after(0, (alpha, beta) => {
        alpha.save('f', 'f of alpha, 1')
        beta.save('g', 'g of beta, 1')
      }),
      after(1_250, (alpha, beta) => {
        beta.save('f', 'f of beta, 2')
        alpha.save('g', 'g of alpha, 2')
      }),
      meet({ call: 'remove', job: 'prune-versions', subject: 'f' }, (_, beta) => beta.create('n', 'n of beta')),
    ],
    lastMs: 2_600,
  },
  {
    name: 'a version is restored while changes travel',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha, 1')),
      after(1_250, (alpha, _, world) => {
        restoreNewest(world, 1, 'f')
        alpha.save('g', 'g of alpha')
      }),
    ],
    lastMs: 1_250,
  },
  {
    name: 'a version is restored just before the exchange',
    steps: [
      after(0, (alpha) => alpha.save('f', 'f of alpha, 1')),
      after(1_250, (alpha) => alpha.save('f', 'f of alpha, 2')),
      // The second of them: the first brings what is kept.
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, () => {}),
      meet({ call: 'exchange', job: 'apply', subject: 'f' }, (_, __, world) => restoreNewest(world, 1, 'f')),
    ],
    lastMs: 1_250,
  },
  {
    name: 'what was removed is restored, and edited',
    steps: [
      after(0, (_, beta) => beta.remove('d')),
      after(1_250, (alpha, __, world) => {
        restoreNewest(world, 0, 'd/in/z')
        if (alpha.has('d/in/z')) alpha.write('d/in/z', 'z of alpha')
      }),
    ],
    lastMs: 1_250,
  },
  {
    ...once('a tree is made and another removed, in transactions of two records', (alpha, beta) => {
      alpha.mkdir('n')
      alpha.create('n/1', '1 of alpha')
      alpha.create('n/2', '2 of alpha')
      beta.remove('d')
    }),
    recordsMax: 2,
  },
  {
    name: 'they meet for the first time, in transactions of two records',
    steps: [],
    fromStart: true,
    recordsMax: 2,
  },
  {
    name: 'the disk is full for a while',
    steps: [
      after(0, (alpha, _, world) => {
        for (const disk of world.disks.slice(1)) disk.capacityBytes = disk.usedBytes + 10
        alpha.save('f', 'f of alpha, which is longer than it was before')
        alpha.create('n', 'n of alpha')
        alpha.remove('g')
      }),
      after(200, (_, __, world) => {
        for (const disk of world.disks) disk.capacityBytes = Number.MAX_SAFE_INTEGER
      }),
    ],
  },
]

function newDirectory(alpha: Hands): void {
  alpha.mkdir('n')
  // As many as are synced at once: staging is on disk then, whole.
  for (let n = 1; n <= 9; n++) alpha.create(`n/${n}`, `${n} of alpha`)
  alpha.mkdir('n/in')
  alpha.create('n/in/z', 'z of alpha, new')
}

/** How many of them every npm test searches. */
export const quickScripts = 12

/** A descriptor that is open since before the edit of the other side, and is written to after it. */
function holding(): ScriptStep[] {
  let handle: UserHandle | undefined
  return [
    after(-5, (_, beta) => {
      handle = beta.open('f')
    }),
    after(0, (alpha) => alpha.save('f', 'f of alpha')),
    // Later than the second look at what came out of an exchange.
    after(1_700, () => handle?.write('f of beta, written late', 0)),
    after(1_720, () => handle?.close()),
  ]
}
