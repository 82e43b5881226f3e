import { expect, test } from 'vitest'
import type { Agent } from '../../src/agent/agent-types.js'
import { answerTo } from '../../src/agent/control-answers.js'
import { absPath, type RelPath, relPath } from '../../src/core/path.js'
import { agentHouse } from './agent-house.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import type { UserFiles } from './user-files.js'
import { SimWorld, type Topology } from './world.js'

const secondNs = 1e9
const one = relPath('d/one')
const two = relPath('d/sub/two')
const other = relPath('d/other')

/** Two agents, or one, whose alpha has another file system mounted over `d`, in which both sides agree. */
class Mounted {
  readonly world: SimWorld
  private lead: Agent | undefined

  constructor(
    readonly topology: Topology,
    readonly side: 0 | 1,
  ) {
    const dice = new Dice(11)
    const house = agentHouse({}, (agent, { kind }) => {
      if (kind !== 'peer') this.lead = agent
    })
    this.world = new SimWorld(new Scheduler(dice.stream('ties'), false), dice, topology, house)
  }

  get here(): UserFiles {
    return this.world.users[this.side].files
  }

  get there(): UserFiles {
    return this.world.users[this.side === 0 ? 1 : 0].files
  }

  async begin(): Promise<void> {
    for (const directory of ['d', 'd/sub']) this.here.makeDirectory(relPath(directory))
    this.here.create(one, 'one\n')
    this.here.create(two, 'two\n')
    for (const agent of this.world.agents) agent.startAfter(1e6)
    await this.pass(60)
    expect(this.texts(two)).toEqual(['two\n', 'two\n'])
  }

  /** Another file system over `d`; what is in it is written before anybody looks. */
  async mount(files: Readonly<Record<string, string>>): Promise<() => void> {
    const machine = this.here.machine
    const disk = machine.addDisk({})
    machine.mount(disk, absPath(`${this.here.root}/d`))
    for (const [path, text] of Object.entries(files)) this.here.create(relPath(path), text)
    await this.pass(60)
    return () => machine.unmount(disk)
  }

  async accept(body: object = {}): Promise<unknown> {
    if (this.lead === undefined) throw new Error('no lead')
    const options = { stateDir: '', agent: this.lead, command: 'run', emit: () => {} }
    const asked = { accept: 'd', ...body }
    const answered = answerTo('POST', '/v1/rescan', JSON.stringify(asked), options, new AbortController().signal)
    const settled = answered.then(
      (answer) => answer,
      (error: unknown) => error,
    )
    await this.pass(30)
    return await settled
  }

  /** What the two sides have at a path. */
  texts(path: RelPath): (string | undefined)[] {
    return [this.here, this.there].map((files) => files.paths().get(path)?.text)
  }

  open(): string[] {
    return (this.lead?.pairs ?? []).flatMap((pair) => pair.open().map(({ path, detail }) => `${path}: ${detail}`))
  }

  async pass(seconds: number): Promise<void> {
    await this.world.scheduler.pass(seconds * secondNs)
  }
}

const rows: readonly [Topology, 0 | 1][] = [
  ['local', 0],
  ['linked', 0],
  ['linked', 1],
]

test.each(rows)(
  'S1-14: a mount over agreed files, accepted, loses nothing on either side (%s, side %i)',
  async (topology, side) => {
    const pair = new Mounted(topology, side)
    await pair.begin()
    await pair.mount({ 'd/other': 'mounted\n', 'd/one': 'another one\n' })
    expect(pair.open()).toEqual([expect.stringContaining('tandem rescan --accept d ')])
    expect(pair.texts(one)).toEqual(['another one\n', 'one\n'])

    expect(await pair.accept()).toMatchObject({ pairs: ['pair'] })
    // What the other side had below is new here, what is new here is there, and what differs is a conflict.
    expect(pair.texts(two)).toEqual(['two\n', 'two\n'])
    expect(pair.texts(other)).toEqual(['mounted\n', 'mounted\n'])
    expect(pair.texts(one)).toEqual(['another one\n', 'one\n'])
    expect(pair.open()).toEqual([expect.stringMatching(/^d\/one: /)])

    // From here on it is a directory like any other.
    pair.here.remove(other)
    await pair.pass(60)
    expect(pair.texts(other)).toEqual([undefined, undefined])
  },
)

test.each(rows)(
  'S1-14: a mount that is gone for good, accepted, comes back from the other side (%s, side %i)',
  async (topology, side) => {
    const pair = new Mounted(topology, side)
    await pair.begin()
    const unmount = await pair.mount({})
    await pair.accept()
    await pair.pass(60)
    expect(pair.open()).toEqual([])
    unmount()
    pair.here.remove(one)
    await pair.pass(60)
    expect(pair.open()).toEqual([expect.stringContaining('is gone')])
    expect(await pair.accept()).toMatchObject({ pairs: ['pair'] })
    await pair.pass(60)
    expect(pair.open()).toEqual([])
    expect([...pair.texts(one), ...pair.texts(two)]).toEqual(['one\n', 'one\n', 'two\n', 'two\n'])
  },
)

test.each(rows)(
  'S1-14: a mount point that goes with its mount keeps all on the other side; accepted, it is a conflict (%s, side %i)',
  async (topology, side) => {
    const pair = new Mounted(topology, side)
    await pair.begin()
    const unmount = await pair.mount({ 'd/one': 'one\n' })
    await pair.accept()
    await pair.pass(60)
    expect(pair.open()).toEqual([])
    // As an automounter does it.
    unmount()
    for (const path of [one, two, relPath('d/sub')]) pair.here.remove(path)
    pair.here.remove(relPath('d'))
    await pair.pass(60)
    expect(pair.open()).toEqual([expect.stringContaining('and its mount point with it: if it is to stay so, ')])
    expect([...pair.texts(one), ...pair.texts(two)].filter((text) => text !== undefined)).toEqual(['one\n', 'two\n'])
    expect(await pair.accept()).toMatchObject({ pairs: ['pair'] })
    await pair.pass(60)
    expect(pair.open()).toEqual([expect.stringMatching(/^d: .*deleted/)])
    expect([...pair.texts(one), ...pair.texts(two)].filter((text) => text !== undefined)).toEqual(['one\n', 'two\n'])
  },
)

test('S1-14: a mount point that went with its mount is as before when both are back', async () => {
  const pair = new Mounted('linked', 0)
  await pair.begin()
  const machine = pair.here.machine
  const disk = machine.addDisk({})
  const mount = () => machine.mount(disk, absPath(`${pair.here.root}/d`))
  mount()
  pair.here.create(one, 'one\n')
  await pair.pass(60)
  await pair.accept()
  await pair.pass(60)
  expect(pair.open()).toEqual([])
  machine.unmount(disk)
  pair.here.removeTree(relPath('d'))
  await pair.pass(60)
  expect(pair.open()).toHaveLength(1)
  pair.here.makeDirectory(relPath('d'))
  mount()
  pair.there.create(other, 'new\n')
  await pair.pass(60)
  expect(pair.open()).toEqual([])
  expect([one, two, other].flatMap((path) => pair.texts(path))).toEqual([
    ...['one\n', 'one\n', 'two\n', 'two\n', 'new\n', 'new\n'],
  ])
})

test('S1-14: what stands in the place of a mount point is no change of it, either', async () => {
  const pair = new Mounted('linked', 0)
  await pair.begin()
  const unmount = await pair.mount({ 'd/one': 'one\n' })
  await pair.accept()
  await pair.pass(60)
  unmount()
  pair.here.removeTree(relPath('d'))
  pair.here.create(relPath('d'), 'a file\n')
  await pair.pass(60)
  expect(pair.open()).toEqual([expect.stringContaining('is gone, and a file stands here: if it is to stay so, ')])
  expect([one, two].map((path) => pair.texts(path)[1])).toEqual(['one\n', 'two\n'])
})

test('S1-14: what is no boundary is not accepted', async () => {
  const pair = new Mounted('local', 0)
  await pair.begin()
  expect(await pair.accept()).toMatchObject({ code: 'unknown-path' })
  expect(await pair.accept({ accept: '/d' })).toMatchObject({ code: 'bad-request' })
})
