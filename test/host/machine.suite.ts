import { afterAll, describe, expect, test } from 'vitest'
import type { Machine } from '../../src/host/host.js'

export interface MachineUnderTest {
  readonly machine: Machine
  /** Another process of the machine: its pid, and how to end it. Called once. */
  readonly start: () => { readonly pid: number; readonly end: () => Promise<void> }
  readonly dispose: () => void
}

/** What a process is told of its machine and of its neighbours. */
export function describeMachine(name: string, make: () => MachineUnderTest): void {
  describe(`machine: ${name}`, () => {
    const { machine, start, dispose } = make()
    afterAll(dispose)

    test('this process is there, and began once', () => {
      const here = machine.processAt(machine.pid)
      expect(here).toBeDefined()
      expect(machine.processAt(machine.pid)).toEqual(here)
    })

    test('another process is there until it ends', async () => {
      const other = start()
      expect(other.pid).not.toBe(machine.pid)
      expect(machine.processAt(other.pid)).toBeDefined()
      await other.end()
      expect(machine.processAt(other.pid)).toBeUndefined()
    })

    test('the sign of its network stays as long as nothing happens to it', () => {
      expect(machine.networkSign()).toBe(machine.networkSign())
    })

    test('ids are known or said to be hidden', () => {
      expect(machine.bootId).not.toBe('')
      expect(machine.machineId).not.toBe('')
      expect(machine.pidNamespace).not.toBe('')
      expect(machine.bootKnown).toBe(!machine.bootId.startsWith('unknown-'))
    })
  })
}
