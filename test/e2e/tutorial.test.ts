import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { expectEqual, program, type Running, type Sandbox, sandbox, tree } from './harness.js'

// util-linux's script gives its child a terminal. Elsewhere than on Linux it has other options.
const terminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0

function atTerminal(box: Sandbox, ...args: string[]): Running {
  const words = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ')
  return box.startProcess('script', ['-qec', words, '/dev/null'])
}

/** As the manual begins: a small directory and its copy. */
function prepare(box: Sandbox): void {
  mkdirSync(box.at('a.tmp'))
  for (const file of ['a.tmp/a', 'a.tmp/b', 'a.tmp/d/f']) box.write(file, '')
  cpSync(box.at('a.tmp'), box.at('b.tmp'), { recursive: true })
}

/** And goes on. */
function change(box: Sandbox): void {
  rmSync(box.at('a.tmp/a'))
  box.write('a.tmp/b', 'Hello\n')
  box.write('b.tmp/b', 'Hello\n')
  box.write('b.tmp/c', 'Mon Nov 21 12:00:00 UTC 2026\n')
  box.write('a.tmp/d/h', 'Hi there\n')
  box.write('b.tmp/d/h', 'Hello there\n')
}

describe.skipIf(!terminal)("the manual's tutorial (needs the program script of util-linux)", () => {
  test('at the terminal, step by step', async () => {
    const box = sandbox()
    prepare(box)
    const first = await atTerminal(box, 'a.tmp', 'b.tmp').ended
    expect(first.stdout).toMatch(/all files are equal/)
    expect(first.code).toBe(0)

    change(box)
    const second = atTerminal(box, 'a.tmp', 'b.tmp')
    let at = await second.said(/deleted +---> +a {2}\[f\] /)
    second.type('f')
    at = await second.said(/<--- new file +c {2}\[f\] /, at)
    second.type('\r')
    at = await second.said(/new file <-\?-> new file +d\/h {2}\[\] /, at)
    second.type('?')
    at = await second.said(/propagate from left to right[\s\S]*d\/h {2}\[\] /, at)
    second.type('/')
    await second.said('Proceed with propagating updates? [] ', at)
    second.type('y')
    const end = await second.ended
    // b became the same on both sides: nothing is shown of it.
    expect(end.stdout).not.toMatch(/ b {2}\[/)
    expect(end.code).toBe(1)
    expect(box.exists('b.tmp/a')).toBe(false)
    expect(box.read('a.tmp/c')).toBe('Mon Nov 21 12:00:00 UTC 2026\n')
    expect([box.read('a.tmp/d/h'), box.read('b.tmp/d/h')]).toEqual(['Hi there\n', 'Hello there\n'])

    const third = atTerminal(box, 'a.tmp', 'b.tmp')
    at = await third.said(/^new file <-\?-> new file +d\/h {2}\[\] /m)
    third.type('<')
    await third.said('Proceed with propagating updates? [] ', at)
    third.type('y')
    expect((await third.ended).code).toBe(0)
    expect(box.read('a.tmp/d/h')).toBe('Hello there\n')
    expectEqual(box.at('a.tmp'), box.at('b.tmp'))

    const last = await atTerminal(box, 'a.tmp', 'b.tmp').ended
    expect(last.stdout).toMatch(/all files are equal/)
    expect(last.code).toBe(0)
  })

  test('quitting changes nothing', async () => {
    const box = sandbox()
    prepare(box)
    await box.tandem(['a.tmp', 'b.tmp'])
    change(box)
    const before = [tree(box.at('a.tmp')), tree(box.at('b.tmp'))]
    const asked = atTerminal(box, 'a.tmp', 'b.tmp')
    await asked.said('[f] ')
    asked.type('fq')
    const end = await asked.ended
    expect(end.code).toBe(3)
    expect(end.stdout).toContain('Nothing was changed.')
    expect([tree(box.at('a.tmp')), tree(box.at('b.tmp'))]).toEqual(before)
  })

  test('--batch asks nothing at a terminal either', async () => {
    const box = sandbox()
    prepare(box)
    await box.tandem(['a.tmp', 'b.tmp'])
    change(box)
    const end = await atTerminal(box, 'a.tmp', 'b.tmp', '-batch').ended
    expect(end.code).toBe(1)
    expect(box.exists('b.tmp/a')).toBe(false)
  })
})

test("the manual's tutorial without a terminal: conflicts are skipped and listed", async () => {
  const box = sandbox()
  prepare(box)
  const first = await box.tandem(['a.tmp', 'b.tmp'])
  expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/all files are equal/), stderr: '' })
  change(box)
  const second = await box.tandem(['a.tmp', 'b.tmp'])
  expect(second.code).toBe(1)
  expect(second.stdout).toMatch(/new file <-\?-> new file +d\/h/)
  expect(second.stdout).toMatch(/skipped: d\/h/)
  expect(box.read('a.tmp/c')).toBe(box.read('b.tmp/c'))
})
