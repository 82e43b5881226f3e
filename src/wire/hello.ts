import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'
import { readTexts, writeTexts } from './text.js'

/** Who speaks first leads the pair; the other end serves a root. Each may only ever hear the other's greeting. */
export type Role = 'lead' | 'peer'

/**
 * What each end says of itself, inside the encrypted channel. Role, identity and run bind the key to one direction between
 * two different agents: a greeting that is sent back to its speaker is refused (RFC 9257, section 4: the Selfie attack).
 *
 *     hello:   | lowest u16 | highest u16 | role u8 | identity, agent, version, run text | features texts |
 *     welcome: | version u16 | heard text | the same without the versions |
 */
export interface Hello extends Speaker {
  readonly kind: 'hello'
  /** Protocol versions that the speaker speaks, from and to. */
  readonly lowest: number
  readonly highest: number
}

export interface Welcome extends Speaker {
  readonly kind: 'welcome'
  /** The version that is spoken from here on. */
  readonly protocol: number
  /** The run of the hello that this answers. */
  readonly heard: string
}

export interface Speaker {
  readonly role: Role
  /** The PSK identity that the speaker sees on the socket. */
  readonly identity: string
  /** Name and version of the program. */
  readonly agent: string
  readonly version: string
  /** Random id of this run of the agent. */
  readonly run: string
  readonly features: readonly string[]
}

const featuresMax = 64
const featureBytesMax = 64
const nameBytesMax = 256

export function writeHello(to: BytesWriter, hello: Hello): void {
  to.u16(hello.lowest)
  to.u16(hello.highest)
  writeSpeaker(to, hello)
}

export function readHello(from: BytesReader): Hello {
  const lowest = from.u16()
  const highest = from.u16()
  if (lowest > highest) throw new Malformed(`versions from ${lowest} to ${highest}`)
  return { kind: 'hello', lowest, highest, ...readSpeaker(from) }
}

export function writeWelcome(to: BytesWriter, welcome: Welcome): void {
  to.u16(welcome.protocol)
  to.text(welcome.heard)
  writeSpeaker(to, welcome)
}

export function readWelcome(from: BytesReader): Welcome {
  const protocol = from.u16()
  const heard = from.text(nameBytesMax)
  return { kind: 'welcome', protocol, heard, ...readSpeaker(from) }
}

function writeSpeaker(to: BytesWriter, { role, identity, agent, version, run, features }: Speaker): void {
  to.u8(role === 'lead' ? 0 : 1)
  to.text(identity)
  to.text(agent)
  to.text(version)
  to.text(run)
  writeTexts(to, features)
}

function readSpeaker(from: BytesReader): Speaker {
  const role = from.u8()
  if (role > 1) throw new Malformed(`a role of ${role}`)
  const identity = from.text(nameBytesMax)
  const agent = from.text(nameBytesMax)
  const version = from.text(nameBytesMax)
  const run = from.text(nameBytesMax)
  const features = readTexts(from, featuresMax, featureBytesMax)
  return { role: role === 0 ? 'lead' : 'peer', identity, agent, version, run, features }
}
