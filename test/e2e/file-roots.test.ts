import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { asked, eventually, type Running, type Sandbox, sandbox, serve } from './harness.js'

/** A file with neighbours, and an empty directory for the other one. */
function withNeighbours(): Sandbox {
  const box = sandbox()
  box.write('a/notes.txt', 'one\n')
  box.write('a/other', 'a neighbour')
  box.write('a/sub/deep', 'a neighbour')
  box.write('b/mine', 'another neighbour')
  return box
}

function expectNeighbours(box: Sandbox): void {
  expect(readdirSync(box.at('a')).sort()).toEqual(['.tandem', 'notes.txt', 'other', 'sub'])
  expect(readdirSync(box.at('b')).sort()).toEqual(['.tandem', 'backup.txt', 'mine'])
}

const files = ['a/notes.txt', 'b/backup.txt'] as const

function pass(box: Sandbox, ...more: string[]) {
  return box.tandem(['sync', ...files, ...more])
}

/** As an editor saves: another file in its place. */
function save(box: Sandbox, path: string, text: string): void {
  box.write(`${path}.new`, text)
  renameSync(box.at(`${path}.new`), box.at(path))
}

describe('one pass', () => {
  test('a file makes the other one, under its own name, and both are kept equal from then on', async () => {
    const box = withNeighbours()
    const first = await pass(box)
    expect(first.stdout).toMatch(/^new file +---> +notes\.txt$/m)
    expect(first.code).toBe(0)
    expect(box.read('b/backup.txt')).toBe('one\n')
    expectNeighbours(box)

    appendFileSync(box.at('b/backup.txt'), 'two\n')
    expect((await pass(box)).code).toBe(0)
    expect(box.read('a/notes.txt')).toBe('one\ntwo\n')
    save(box, 'a/notes.txt', 'saved')
    // The roots in the other order are the same pair.
    expect((await box.tandem(['sync', ...[...files].reverse()])).code).toBe(0)
    expect(box.read('b/backup.txt')).toBe('saved')
    expect((await pass(box)).stdout).toContain('Nothing to do')
    expectNeighbours(box)
  })

  test('what is in the directories beside them is looked at by nobody', async () => {
    const box = withNeighbours()
    const { stdout } = await pass(box, '--json')
    expect(stdout).not.toMatch(/other|mine|deep/)
    const scanned = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === 'scan-finished')
    expect(scanned.map(({ root }) => root).sort()).toEqual(files.map((file) => box.at(file)))
    // The file and its directory.
    for (const { paths } of scanned) expect(paths).toBeLessThanOrEqual(2)
  })

  test('a conflict leaves both, and a preference decides it', async () => {
    const box = withNeighbours()
    box.write('b/backup.txt', 'another')
    const { code, stdout } = await pass(box)
    expect(code).toBe(1)
    expect(stdout).toMatch(/<-\?-> new file +notes\.txt$/m)
    expect([box.read('a/notes.txt'), box.read('b/backup.txt')]).toEqual(['one\n', 'another'])
    // A copy of the other version would lie beside the file, where the pair has nothing: the conflict stays.
    expect((await pass(box, '--prefer', 'a/notes.txt', '--copyonconflict')).code).not.toBe(0)
    expect(box.read('b/backup.txt')).toBe('another')
    expectNeighbours(box)
    expect((await pass(box, '--prefer', 'a/notes.txt')).code).toBe(0)
    expect(box.read('b/backup.txt')).toBe('one\n')
    expectNeighbours(box)
    // What was replaced is kept, and comes back by the file's own name.
    expect((await box.tandem(['log', 'b/backup.txt'])).stdout).toMatch(/replaced +backup\.txt/)
    expect((await box.tandem(['restore', 'b/backup.txt'])).code).toBe(0)
    expect(box.read('b/backup.txt')).toBe('another')
    expect((await pass(box)).code).toBe(0)
    expect(box.read('a/notes.txt')).toBe('another')
  })

  test('what is said of names in a directory says nothing of a root', async () => {
    const box = withNeighbours()
    expect((await pass(box, '--ignore', 'Name *.txt', '--path', 'x')).code).toBe(0)
    expect(box.read('b/backup.txt')).toBe('one\n')
  })

  test('a file that is gone is a root that is gone: held, until somebody says that it was meant', async () => {
    const box = withNeighbours()
    await pass(box)
    rmSync(box.at('a/notes.txt'))
    const held = await pass(box)
    expect(held.code).toBe(3)
    expect(held.stderr).toMatch(
      /a\/notes\.txt is gone on one side \(alpha\): 1 path would be removed .*bring the file back/,
    )
    expect(box.read('b/backup.txt')).toBe('one\n')
    expect((await pass(box, '-confirmbigdel=false')).code).toBe(0)
    expect(box.exists('b/backup.txt')).toBe(false)
    // Nothing is left to be kept equal, until one of them comes again.
    expect((await pass(box)).code).toBe(0)
    box.write('b/backup.txt', 'again')
    expect((await pass(box)).code).toBe(0)
    expect(box.read('a/notes.txt')).toBe('again')
    expect(readdirSync(box.at('a')).sort()).toEqual(['.tandem', 'notes.txt', 'other', 'sub'])
  })

  test('a dry run changes nothing', async () => {
    const box = withNeighbours()
    const { code, stdout } = await pass(box, '--dry-run')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^new file +---> +notes\.txt$/m)
    expect(box.exists('b/backup.txt')).toBe(false)
  })

  test('doctor looks at its directory', async () => {
    const box = withNeighbours()
    await pass(box)
    const { stdout } = await box.tandem(['doctor', 'a/notes.txt'])
    expect(stdout).toMatch(/root .*a\/notes\.txt\n {2}[^!]/)
  })

  test('two files of one directory', async () => {
    const box = withNeighbours()
    const both = () => box.tandem(['sync', 'a/notes.txt', 'a/copy.txt'])
    expect((await both()).code).toBe(0)
    appendFileSync(box.at('a/copy.txt'), 'two\n')
    expect((await both()).code).toBe(0)
    expect(box.read('a/notes.txt')).toBe('one\ntwo\n')
    expect((await both()).stdout).toContain('Nothing to do')
    expect(readdirSync(box.at('a')).sort()).toEqual(['.tandem', 'copy.txt', 'notes.txt', 'other', 'sub'])
  })

  test('a root that is a link to a file is that file', async () => {
    const box = withNeighbours()
    symlinkSync('../a/notes.txt', box.at('b/link'))
    expect((await box.tandem(['sync', 'b/link', 'b/backup.txt'])).code).toBe(0)
    expect(box.read('b/backup.txt')).toBe('one\n')
    appendFileSync(box.at('b/backup.txt'), 'two\n')
    expect((await box.tandem(['sync', 'b/link', 'b/backup.txt'])).code).toBe(0)
    expect(box.read('a/notes.txt')).toBe('one\ntwo\n')
    expect(readdirSync(box.at('b')).sort()).toEqual(['.tandem', 'backup.txt', 'link', 'mine'])
  })

  const clashes: [string, (box: Sandbox) => void, RegExp][] = [
    [
      'the other one is a directory, from the beginning',
      (box) => mkdirSync(box.at('b/backup.txt')),
      /is a file, and the other root, .*b\/backup\.txt, is a directory\. To keep the file equal .*name that: .*b\/backup\.txt\/notes\.txt/,
    ],
    ['the other one is something else', (box) => symlinkSync('.', box.at('b/backup.txt')), /one root|is a directory/],
    ['its directory is not there', (box) => rmSync(box.at('b'), { recursive: true }), /b: it is not there/],
  ]
  test.each(clashes)('refused: %s', async (_, spoil, message) => {
    const box = withNeighbours()
    spoil(box)
    const end = await pass(box)
    expect(end.code).toBe(3)
    expect(end.stderr).toMatch(message)
    expect(box.read('a/notes.txt')).toBe('one\n')
  })

  test('a file that became a directory is not followed, and is again when it is back', async () => {
    const box = withNeighbours()
    await pass(box)
    renameSync(box.at('a/notes.txt'), box.at('kept'))
    box.write('a/notes.txt/x', 'x')
    const end = await pass(box)
    expect(end.code).toBe(3)
    expect(end.stderr).toMatch(/a\/notes\.txt: it is a directory, and was to be a file/)
    expect(box.read('b/backup.txt')).toBe('one\n')
    expect(box.read('a/notes.txt/x')).toBe('x')
    rmSync(box.at('a/notes.txt'), { recursive: true })
    renameSync(box.at('kept'), box.at('a/notes.txt'))
    expect((await pass(box)).stdout).toContain('Nothing to do')
  })
})

describe('while it runs', () => {
  /** What was known of each pair when a file last became what it was to be. */
  const heard = new WeakMap<Running, Map<string, number>>()

  /** Waits until an edit has come to a path by a pair of that name, whatever it is where there is one, and is agreed on. */
  async function becomes(box: Sandbox, lead: Running, path: string, text: string, pair = ''): Promise<void> {
    const before = heard.get(lead) ?? new Map<string, number>()
    heard.set(lead, before)
    const from = before.get(pair) ?? 0
    await eventually(
      () =>
        box.exists(path) &&
        box.read(path) === text &&
        lead.hasAgreed((applied) => pair === '' || applied.pair === pair, from),
      () => lead.stderr,
    )
    before.set(pair, lead.events().length)
  }

  /** Edits of every kind on both sides of a pair that is being kept. */
  async function edited(box: Sandbox, lead: Running, pair = ''): Promise<void> {
    await becomes(box, lead, 'b/backup.txt', 'one\n', pair)
    appendFileSync(box.at('a/notes.txt'), 'two\n')
    await becomes(box, lead, 'b/backup.txt', 'one\ntwo\n', pair)
    appendFileSync(box.at('b/backup.txt'), 'three\n')
    await becomes(box, lead, 'a/notes.txt', 'one\ntwo\nthree\n', pair)
    save(box, 'a/notes.txt', 'saved here')
    await becomes(box, lead, 'b/backup.txt', 'saved here', pair)
    save(box, 'b/backup.txt', 'saved there')
    await becomes(box, lead, 'a/notes.txt', 'saved there', pair)
    expectNeighbours(box)
  }

  test('edits and atomic saves travel both ways', async () => {
    const box = withNeighbours()
    const lead = box.start(['watch', ...files])
    await edited(box, lead)
    lead.signal('SIGUSR2')
    expect((await lead.ended).code).toBe(0)
  })

  test('over the link, to a file that is served, made there, deleted here and held', async () => {
    const box = withNeighbours()
    const serving = await serve(box, { notes: 'b/backup.txt' })
    const roots = ['a/notes.txt', serving.url('notes'), '--secret-file', serving.keyFile]
    const lead = box.start(['watch', ...roots])
    await edited(box, lead)
    const inode = statSync(box.at('b/backup.txt')).ino
    rmSync(box.at('a/notes.txt'))
    await eventually(
      () => lead.events().some(({ event, code }) => event === 'problem-found' && code === 'held'),
      () => lead.stderr,
    )
    expect(statSync(box.at('b/backup.txt')).ino).toBe(inode)
    // Back again: it is as if nothing had been.
    box.write('a/notes.txt', 'made again')
    await becomes(box, lead, 'b/backup.txt', 'made again')
    // A directory in its place halts the pair, the file back again ends that.
    renameSync(box.at('b/backup.txt'), box.at('kept'))
    mkdirSync(box.at('b/backup.txt'))
    await lead.event('pair-halted')
    expect(box.read('a/notes.txt')).toBe('made again')
    rmSync(box.at('b/backup.txt'), { recursive: true })
    renameSync(box.at('kept'), box.at('b/backup.txt'))
    await lead.event('pair-resumed')
    appendFileSync(box.at('b/backup.txt'), ', and edited')
    await becomes(box, lead, 'a/notes.txt', 'made again, and edited')
    expectNeighbours(box)
    lead.signal('SIGTERM')
    await lead.ended
    // Who has nothing gets it.
    rmSync(box.at('a/notes.txt'))
    rmSync(box.at('state/pairs'), { recursive: true })
    expect((await box.tandem(['sync', ...roots])).code).toBe(0)
    expect(box.read('a/notes.txt')).toBe('made again, and edited')
    const check = await box.tandem(['check', serving.url('notes'), '--secret-file', serving.keyFile])
    expect(check.stdout).toContain('which is there, a file')
    expect(check.code).toBe(0)
  })

  test('a file of a directory that is itself a root: two pairs, in one agent', async () => {
    const box = withNeighbours()
    box.write(
      'tandem.toml',
      `[[pair]]\nname = "all"\nalpha = "a"\nbeta = "c"\n[[pair]]\nname = "one"\nalpha = "a/notes.txt"\nbeta = "b/backup.txt"\n`,
      { mode: 0o600 },
    )
    const lead = box.start(['run', '--config', 'tandem.toml'])
    await edited(box, lead, 'one')
    await becomes(box, lead, 'c/notes.txt', 'saved there', 'all')
    box.write('c/notes.txt', 'from the third')
    await becomes(box, lead, 'b/backup.txt', 'from the third', 'one')
    box.write('c/sub/more', 'not for b')
    await becomes(box, lead, 'a/sub/more', 'not for b', 'all')
    rmSync(box.at('a/sub'), { recursive: true })
    await eventually(
      () => !box.exists('c/sub'),
      () => lead.stderr,
    )
    expect(readdirSync(box.at('b')).sort()).toEqual(['.tandem', 'backup.txt', 'mine'])
    await asked(box, ['status'], ({ stdout }) => /^one +watching/m.test(stdout))
    lead.signal('SIGTERM')
    await lead.ended
  })
})
