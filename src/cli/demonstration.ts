import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Agent } from '../agent/agent-types.js'
import type { Config } from '../config/config.js'
import { keepOf } from '../config/keep.js'
import { fullScanSecondsDefault, parsePreferences } from '../config/parse-preferences.js'
import { keyBytes } from '../config/secret.js'
import { type AbsPath, absPath } from '../core/path.js'
import { type Endpoint, LinkFailure, type Secret } from '../host/sockets.js'
import { escapeText } from '../status/escape.js'
import type { AgentEvent, Emit } from '../status/event.js'
import { lineOf } from '../status/terminal.js'
import { type ExitCode, exitCodeOfPass } from './exit-codes.js'
import { type House, openHouse } from './house.js'
import { onlyOne } from './only-one.js'
import { print } from './output.js'
import { underSignals } from './pair.js'

/**
 * Two agents in this process, joined by the real link over loopback, keep demo/alpha and demo/beta equal; each change is shown as it
 * travels. The key is drawn for this run and is nowhere but in memory.
 *
 * @param project the directory that gets `demo`
 * @throws Failure; when it runs already, that one is left alone and named
 */
export async function demonstrate(project: string): Promise<ExitCode> {
  const place = demoPlace(project)
  mkdirSync(place.state, { recursive: true, mode: 0o700 })
  const release = onlyOne(join(place.state, 'running'), `the demonstration in ${place.demo}`)
  try {
    makeFiles(place)
    print(
      `Keeping equal: ${escapeText(place.alpha)}\n` +
        `          and: ${escapeText(place.beta)}\n` +
        'Change something in either of them, and see it travel. Ctrl-C ends it.\n',
    )
    const told = (event: AgentEvent) => {
      const line = lineOf(event)
      if (line !== undefined) print(`${line}\n`)
    }
    return await underSignals(
      undefined,
      (emit) => openBoth(place, emit),
      told,
      async (agent) => exitCodeOfPass(await agent.run()),
    )
  } finally {
    release()
  }
}

interface DemoPlace {
  readonly demo: string
  readonly alpha: AbsPath
  readonly beta: AbsPath
  readonly state: AbsPath
}

function demoPlace(project: string): DemoPlace {
  const demo = join(project, 'demo')
  return {
    demo,
    alpha: absPath(join(demo, 'alpha')),
    beta: absPath(join(demo, 'beta')),
    state: absPath(join(demo, '.state')),
  }
}

/** Something to look at, the first time. Later the trees are the user's. */
function makeFiles(place: DemoPlace): void {
  if (existsSync(place.alpha) || existsSync(place.beta)) return
  mkdirSync(join(place.alpha, 'letters'), { recursive: true })
  mkdirSync(place.beta)
  writeFileSync(join(place.alpha, 'README.txt'), 'This directory and its neighbour beta are kept equal by tandem.\n')
  writeFileSync(join(place.alpha, 'letters', 'hello.txt'), 'Hello from alpha.\n')
  symlinkSync('letters/hello.txt', join(place.alpha, 'latest'))
  mkdirSync(join(place.beta, 'letters'))
  writeFileSync(join(place.beta, 'letters', 'reply.txt'), 'Hello from beta.\n')
}

/** The agent that serves beta, then the one that holds the pair. */
async function openBoth(place: DemoPlace, emit: Emit): Promise<House> {
  const secret = { identity: 'demo', key: Uint8Array.from(randomBytes(keyBytes)) }
  const { house: peer, endpoint } = await openServing(place, secret)
  try {
    const lead = await openHouse(leadConfig(place, endpoint, secret), emit)
    return {
      agent: lead.agent,
      close: async () => {
        await lead.close()
        await peer.close()
      },
    }
  } catch (error) {
    await peer.close()
    throw error
  }
}

async function openServing(place: DemoPlace, secret: Secret): Promise<{ house: House; endpoint: Endpoint }> {
  // The port is part of a root's name: with another one the pair would begin anew.
  const portFile = join(place.state, 'port')
  const before = existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 0
  for (const port of before > 0 ? [before, 0] : [0]) {
    try {
      const house = await openHouse(servingConfig(place, port, secret), () => {})
      const endpoint = await listeningOf(house.agent)
      writeFileSync(portFile, `${endpoint.port}\n`)
      return { house, endpoint }
    } catch (error) {
      if (port === 0 || !(error instanceof LinkFailure && error.code === 'port-in-use')) throw error
    }
  }
  throw new Error('unreachable: the last port is any free one')
}

async function listeningOf(agent: Agent): Promise<Endpoint> {
  const running = agent.run()
  // Who closes it waits for its end; nobody else looks at the result.
  running.catch(() => {})
  const [listening] = agent.addresses
  if (listening === undefined) throw new Error('the serving agent does not listen')
  return listening
}

function servingConfig(place: DemoPlace, port: number, secret: Secret): Config {
  return {
    pairs: [],
    serves: [
      { name: 'beta', path: place.beta, keep: keepOf(undefined, undefined), minFree: undefined, maxDelete: undefined },
    ],
    listen: [{ kind: 'wss', endpoint: { host: '127.0.0.1', port } }],
    peers: [{ name: secret.identity, key: secret.key, roots: ['beta'] }],
    stateDir: madeIn(place.state, 'peer'),
  }
}

function leadConfig(place: DemoPlace, endpoint: Endpoint, secret: Secret): Config {
  const alpha = { given: place.alpha, spec: { kind: 'local', path: place.alpha } } as const
  const beta = { given: 'beta', spec: { kind: 'wss', endpoint, name: 'beta' } } as const
  const preferences = parsePreferences([], alpha, beta)
  return {
    pairs: [
      {
        name: 'demo',
        alpha: alpha.spec,
        beta: { ...beta.spec, secret },
        preferences: {
          ...preferences,
          batch: true,
          repeat: { kind: 'watch', fullScanSeconds: fullScanSecondsDefault },
        },
        ignoreArchives: false,
      },
    ],
    serves: [],
    listen: [],
    peers: [],
    stateDir: madeIn(place.state, 'lead'),
  }
}

function madeIn(state: AbsPath, name: string): AbsPath {
  const path = absPath(join(state, name))
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}
