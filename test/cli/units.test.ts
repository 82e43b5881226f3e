import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/exit-codes.js'
import { parseCommandLine } from '../../src/cli/program.js'

const place = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const unit = readFileSync(place('systemd/tandem.service'), 'utf8')

/** The values of a key of the unit, in order. */
function settings(key: string): string[] {
  return unit.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []))
}

/** Every command line of tandem in the text, comments included, without the program's name. */
function commandLines(text: string): string[] {
  return [...text.matchAll(/(?:env|:) tandem ((?:run|serve|stop|status|flush)(?: --?[a-z-]+(?: [^\s;,)]+)?)*)/g)].map(
    ([, words = '']) => words.trim(),
  )
}

test('every command and flag of the systemd unit exists', () => {
  const lines = commandLines(unit)
  expect(lines).toEqual([
    'status --state-dir /var/lib/tandem',
    'run --config /etc/tandem/tandem.toml',
    'stop --timeout 55',
  ])
  for (const line of lines) expect(parseCommandLine(line.split(' ')).command).toBe(line.split(' ')[0])
  expect(settings('ExecStart')).toHaveLength(1)
})

test('every exit code of the systemd unit exists, and none that waiting can help is among those that end it', () => {
  const codes = settings('RestartPreventExitStatus').flatMap((value) => value.split(' ').map(Number))
  expect(codes.sort()).toEqual([exitCodes.usage, exitCodes.config])
})

test('stopping ends before systemd loses its patience', () => {
  const stop = parseCommandLine((commandLines(settings('ExecStop')[0] ?? '')[0] ?? '').split(' '))
  const patience = Number(settings('TimeoutStopSec')[0])
  expect(stop).toMatchObject({ command: 'stop' })
  if (stop.command === 'stop') expect(stop.timeoutSeconds).toBeLessThan(patience)
})

test('the agent may write where its configuration is, or nobody could join with an invitation', () => {
  const config = /--config (\S+)/.exec(settings('ExecStart')[0] ?? '')?.[1] ?? ''
  expect(settings('ProtectSystem')).toEqual(['full'])
  expect(settings('ReadWritePaths')).toEqual([`-${dirname(config)}`])
})

test('a crash writes no memory to a disk: the keys are in it', () => {
  expect(settings('LimitCORE')).toEqual(['0'])
})

test('systemd finds nothing wrong with the unit', ({ skip }) => {
  if (spawnSync('systemd-analyze', ['--version']).error !== undefined) skip('needs systemd-analyze')
  const checked = spawnSync('systemd-analyze', ['verify', place('systemd/tandem.service')], { encoding: 'utf8' })
  expect(checked.stderr).not.toMatch(/tandem\.service/)
  expect(checked.status).toBe(0)
})

test('every command and flag of the launchd lists exists, and their keys have values', () => {
  const names = readdirSync(place('launchd'))
  expect(names).toEqual(['tandem.plist'])
  for (const name of names) {
    const text = readFileSync(place(`launchd/${name}`), 'utf8')
    const body = text.replace(/<!--[\s\S]*?-->/g, '')
    const words = [
      ...(/<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(body)?.[1] ?? '').matchAll(
        /<string>(.*?)<\/string>/g,
      ),
    ].map(([, word = '']) => word)
    expect(words.slice(0, 2)).toEqual(['/usr/bin/env', 'tandem'])
    expect(parseCommandLine(words.slice(2))).toMatchObject({
      command: 'run',
      config: '/usr/local/etc/tandem/tandem.toml',
    })
    expect([...body.matchAll(/<key>.*?<\/key>\s*<(string|array|dict|true|integer)/g)]).toHaveLength(
      [...body.matchAll(/<key>/g)].length - 1,
    )
  }
})
