import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { programVersion } from '../agent/version.js'
import { withTables } from '../config/edit.js'
import { parseConfigFile } from '../config/file.js'
import { parseInvitation } from '../config/invitation.js'
import { makePrivateDirectory, readPrivateFile, writePrivateFile } from '../config/private-file.js'
import { stateDirectory } from '../config/state.js'
import { endpointText, LinkFailure } from '../host/sockets.js'
import { escapeText } from '../status/escape.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { rereadBy } from './invite.js'
import { print } from './output.js'
import { keyPlace, tryPairing, writeKeyBeside } from './pairing.js'
import type { JoinCommand } from './program.js'

/**
 * `join`: uses an invitation, writes the key and the pair into the configuration, and lets the agent follow. What can be wrong here is
 * found before the invitation is used; if this ends between the two, the access that was given is revoked there and asked for anew.
 * @throws Failure
 */
export async function runJoin(line: JoinCommand): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const stateDir = stateDirectory(line.stateDir, around)
  const given = line.line === '-' ? await standardInput() : line.line
  const { endpoint, root, secret } = parseInvitation(given)
  const config = resolve(line.config)
  const isNew = !existsSync(config)
  if (isNew) makePrivateDirectory(dirname(config))
  const before = isNew
    ? '# The configuration of tandem: see config.example.toml for all that can be said here.\n'
    : readPrivateFile(config)
  const file = /^\s*\[/m.test(before) ? await parseConfigFile(before, config, around.homeDirectory) : undefined
  const taken = new Set(file?.pairs.map(({ name }) => name))
  let pair = root
  for (let count = 2; taken.has(pair) || existsSync(keyPlace(config, pair)); count++) pair = `${root}-${count}`

  const beta = `wss://${endpointText(endpoint)}/${root}`
  const key = randomBytes(32).toString('hex')
  const values = { name: pair, alpha: resolve(line.root), beta, secret_file: `keys/${pair}.key` }
  // What cannot be written is found out before the invitation is used.
  withTables(before, [{ name: 'pair', values }])
  tryPairing(config, pair)
  const joined = await used(endpoint, root, secret, key)
  writeKeyBeside(config, pair, joined.peer, key)
  const restricted = joined.readOnly ? { nocreation: [beta], noupdate: [beta], nodeletion: [beta] } : {}
  const now = isNew ? before : readPrivateFile(config)
  writePrivateFile(config, withTables(now, [{ name: 'pair', values: { ...values, ...restricted } }]))
  const agent = await rereadBy(stateDir, config)
  print(`${escapeText(values.alpha)} and ${beta} are a pair, '${pair}', in ${escapeText(config)}.\n`)
  print(
    agent === undefined
      ? `Keep it equal with: tandem run --config ${escapeText(config)}\n`
      : 'The agent keeps it equal from now on.\n',
  )
  return exitCodes.inSync
}

async function used(
  endpoint: Parameters<typeof endpointText>[0],
  root: string,
  secret: { readonly identity: string; readonly key: Uint8Array },
  key: string,
) {
  const [{ join }, { nodeSockets }, { nodeClock }] = await Promise.all([
    import('../replica/remote.js'),
    import('../host/node/sockets.js'),
    import('../host/node/clock.js'),
  ])
  const self = { agent: 'tandem', version: programVersion(), run: randomBytes(16).toString('hex') }
  const host = { sockets: nodeSockets(), clock: nodeClock() }
  try {
    return await join(host, { kind: 'wss', endpoint, name: root, secret }, self, key, new AbortController().signal)
  } catch (error) {
    if (!(error instanceof LinkFailure)) throw error
    if (error.code === 'wrong-key' || error.code === 'unknown-peer')
      throw new LinkFailure(error.code, `${endpointText(endpoint)}: this invitation is not known there`, error)
    throw error
  }
}

/** Far more than an invitation has. */
const lineCharsMax = 4_096

async function standardInput(): Promise<string> {
  let text = ''
  if (process.stdin.isTTY) process.stderr.write('the line that tandem invite printed: ')
  for await (const part of process.stdin) {
    text += String(part)
    if (text.includes('\n') || text.length > lineCharsMax) break
  }
  return text.split('\n')[0] ?? ''
}
