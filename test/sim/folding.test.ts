import { describe, expect, test } from 'vitest'
import { type RelPath, relPath } from '../../src/core/path.js'
import { agentHouse } from './agent-house.js'
import type { SimOptions } from './simulate.js'
import { simulate } from './simulate.js'
import type { UserFiles } from './user-files.js'
import type { SimWorld, Topology } from './world.js'

/*
 * The whole house where one root folds case and the other does not. The oracle watches: no version is lost, and at the end
 * the roots are equal, names as they are written included.
 */

interface Sides {
  readonly folding: UserFiles
  readonly exact: UserFiles
}

type Step = readonly [atMs: number, act: (sides: Sides) => void]

const p = relPath
const texts = (files: UserFiles): Record<string, string> => {
  const held: [RelPath, string][] = [...files.paths()].map(([path, inode]) => [
    path,
    inode.kind === 'file' ? inode.text : inode.kind,
  ])
  return Object.fromEntries(held.filter(([path]) => path !== 'kept').sort(([a], [b]) => (a < b ? -1 : 1)))
}

const houses: readonly [Topology, folds: 0 | 1][] = [
  ['linked', 0],
  ['linked', 1],
  ['local', 1],
]

describe.each(houses)('%s, root %i folds case', (topology, folds) => {
  const seeds = [1, 2, 3, 4]

  async function play(seed: number, steps: readonly Step[], more: Partial<SimOptions> = {}) {
    const sidesOf = (world: SimWorld): Sides => {
      const [alpha, beta] = world.users
      return folds === 0 ? { folding: alpha.files, exact: beta.files } : { folding: beta.files, exact: alpha.files }
    }
    const disk = { folding: 'case' } as const
    const traits = folds === 0 ? { alphaDisk: disk, betaDisk: {} } : { alphaDisk: {}, betaDisk: disk }
    const script = steps.map(([atMs, act]) => ({ atMs, act: (world: SimWorld) => act(sidesOf(world)) }))
    const chaosMs = Math.max(...steps.map(([atMs]) => atMs)) + 1_000
    const result = await simulate({ seed, topology, house: agentHouse(), traits, script, chaosMs, ...more })
    const { folding, exact } = sidesOf(result.world)
    expect(result.violations).toEqual([])
    if (more.brief !== true) expect(texts(folding)).toEqual(texts(exact))
    return { held: texts(exact), events: result.events, effects: result.effects }
  }

  test.each(seeds)('two names alike are problems at their paths, and their siblings travel: seed %i', async (seed) => {
    let meanwhile: Record<string, string> = {}
    const { held, events } = await play(seed, [
      [
        1_000,
        ({ exact }) => {
          for (const name of ['a', 'A', 'b']) exact.create(p(name), `${name} of exact`)
          exact.makeDirectory(p('d'))
          for (const name of ['d/x', 'd/X', 'd/y']) exact.create(p(name), `${name} of exact`)
        },
      ],
      [
        8_000,
        ({ folding }) => {
          meanwhile = texts(folding)
        },
      ],
      // One of the two goes: the other can come.
      [
        8_100,
        ({ exact }) => {
          exact.remove(p('A'))
          exact.remove(p('d/x'))
        },
      ],
    ])
    expect(meanwhile).toEqual({ b: 'b of exact', d: 'directory', 'd/y': 'd/y of exact' })
    const problems = events.flatMap((one) => (one.event === 'problem-found' ? [`${one.path} ${one.code}`] : []))
    expect(new Set(problems)).toEqual(new Set(['A name', 'a name', 'd/X name', 'd/x name']))
    expect(held).toEqual({
      a: 'a of exact',
      b: 'b of exact',
      d: 'directory',
      'd/X': 'd/X of exact',
      'd/y': 'd/y of exact',
    })
  })

  test.each(seeds)('a name like one that is there waits until that is gone on either side: seed %i', async (seed) => {
    let meanwhile: Record<string, string> = {}
    const { held } = await play(seed, [
      [500, ({ folding }) => folding.create(p('Name'), 'the first')],
      [2_000, ({ exact }) => exact.create(p('name'), 'the second')],
      [
        8_000,
        ({ folding }) => {
          meanwhile = texts(folding)
        },
      ],
      [8_100, ({ folding }) => folding.remove(p('NAME'))],
    ])
    expect(meanwhile).toEqual({ Name: 'the first' })
    expect(held).toEqual({ name: 'the second' })
  })

  test('a directory that cannot come beside its like is not taken for made after a crash, at any effect', async () => {
    const agent = topology === 'local' ? 'solo' : folds === 0 ? 'lead' : 'peer'
    const steps: readonly Step[] = [
      [
        1_000,
        ({ folding, exact }) => {
          folding.makeDirectory(p('a'))
          exact.create(p('a'), 'a of exact')
        },
      ],
      [4_000, ({ exact }) => exact.makeDirectory(p('A'))],
    ]
    const { effects: count, events } = await play(1, steps, {
      crashAt: { agent, effect: -1, powerLoss: false },
      brief: true,
    })
    const told = events.flatMap((one) => (one.event === 'problem-found' && one.path === 'A' ? [one.code] : []))
    expect(new Set(told)).toEqual(new Set(['name']))
    expect(count).toBeGreaterThan(20)
    for (let effect = 1; effect <= count; effect++)
      await play(1, steps, { crashAt: { agent, effect, powerLoss: false }, brief: true })
  })

  const atOnce = (files: UserFiles): void => {
    files.rename(p('File'), p('file'))
    files.rename(p('Dir'), p('dir'))
  }
  const byWayOfAnother = (files: UserFiles): void => {
    for (const [from, to] of [
      ['File', 'file'],
      ['Dir', 'dir'],
    ] as const) {
      files.rename(p(from), p('between'))
      files.rename(p('between'), p(to))
    }
  }
  const changes: readonly [what: string, where: keyof Sides, change: (files: UserFiles) => void][] = [
    ['on the folding root', 'folding', atOnce],
    ['on the folding root, by way of another name', 'folding', byWayOfAnother],
    ['on the root that distinguishes', 'exact', atOnce],
  ]
  const begin = ({ exact }: Sides): void => {
    exact.create(p('File'), 'text')
    exact.makeDirectory(p('Dir'))
    exact.create(p('Dir/Inner'), 'inner')
  }
  const append = (files: UserFiles, path: RelPath, text: string): void => {
    const handle = files.open(path)
    handle.append(text)
    handle.close()
  }

  describe.each(changes)('a change of case %s', (_, where, change) => {
    const there = where === 'exact' ? 'folding' : 'exact'

    test.each(seeds)('is one on the other side: seed %i', async (seed) => {
      const { held } = await play(seed, [
        [500, begin],
        [3_000, (sides) => change(sides[where])],
      ])
      expect(held).toEqual({ dir: 'directory', 'dir/Inner': 'inner', file: 'text' })
    })

    test.each(seeds)('takes along what is written before it was seen: seed %i', async (seed) => {
      const { held } = await play(seed, [
        [500, begin],
        [
          3_000,
          (sides) => {
            change(sides[where])
            append(sides[where], p('file'), ' edited')
            append(sides[where], p('dir/Inner'), ' edited')
          },
        ],
      ])
      expect(held).toEqual({ dir: 'directory', 'dir/Inner': 'inner edited', file: 'text edited' })
    })

    test.each(seeds)('and an edit on the other side at the same time: nothing is lost: seed %i', async (seed) => {
      let before: string[] = []
      await play(seed, [
        [500, begin],
        [
          3_000,
          (sides) => {
            append(sides[there], p('File'), ' edited')
            append(sides[there], p('Dir/Inner'), ' edited')
            change(sides[where])
          },
        ],
        [
          10_000,
          (sides) => {
            before = [...Object.values(texts(sides.folding)), ...Object.values(texts(sides.exact))]
          },
        ],
      ])
      expect(before).toEqual(expect.arrayContaining(['text edited', 'inner edited']))
    })
  })
})
