import { expect, test } from 'vitest'
import type { Machine } from '../../src/host/host.js'
import { syncfsTells } from '../../src/host/syncfs.js'

const rows: [kernel: string, platform: Machine['platform'], tells: boolean][] = [
  ['6.1.0-20-amd64', 'linux', true],
  ['5.8.0', 'linux', true],
  ['5.10.0-28-cloud-arm64', 'linux', true],
  ['10.0', 'linux', true],
  ['5.7.19', 'linux', false],
  ['5.4.0-100-generic', 'linux', false],
  ['4.18.0-553.el8_10.x86_64', 'linux', false],
  ['3.10.0', 'linux', false],
  ['something else', 'linux', true],
  ['23.1.0', 'macos', true],
  ['4.0.0', 'macos', true],
]

test.each(rows)('S2-15: %s on %s: %s', (kernel, platform, tells) => {
  expect(syncfsTells({ kernel, platform })).toBe(tells)
})
