import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { nodeMachine } from '../../../src/host/node/machine.js'
import { nodeRandom } from '../../../src/host/node/random.js'
import { describeMachine } from '../machine.suite.js'

test('a machine is the same each time it is asked', () => {
  const machine = nodeMachine()
  expect(nodeMachine()).toEqual(machine)
  expect(machine.bootId).toMatch(/^[0-9A-Fa-f-]{36}$/)
  expect(machine.pid).toBe(process.pid)
  expect(machine.hostName).not.toBe('')
  expect(machine.homeDirectory.startsWith('/')).toBe(true)
  expect(['linux', 'macos']).toContain(machine.platform)
})

test('random bytes are many, and differ', () => {
  const random = nodeRandom()
  const [one, two] = [random.bytes(100_000), random.bytes(100_000)]
  expect(one).toHaveLength(100_000)
  expect(one).not.toEqual(two)
  expect(random.bytes(0)).toHaveLength(0)
  const fractions = Array.from({ length: 1_000 }, () => random.fraction())
  expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true)
  expect(new Set(fractions).size).toBeGreaterThan(900)
})

describeMachine('node', () => ({ machine: nodeMachine(), start: sleeper, dispose: () => {} }))

function sleeper(): { readonly pid: number; readonly end: () => Promise<void> } {
  const child = spawn('sleep', ['60'])
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.pid === undefined) throw new Error('no sleep here')
  return {
    pid: child.pid,
    end: () => {
      child.kill('SIGKILL')
      return ended
    },
  }
}
