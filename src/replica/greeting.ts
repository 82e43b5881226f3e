import { LinkFailure } from '../host/sockets.js'
import type { Hello, Role, Speaker, Welcome } from '../wire/hello.js'
import { protocolVersion } from '../wire/message.js'

/** This agent, as it tells the far ends of all its links. */
export interface Self {
  /** Name and version of the program. */
  readonly agent: string
  readonly version: string
  /** Random id of this run, the same for every link: an agent that reaches itself finds out. 32 hex digits. */
  readonly run: string
}

/** What this program can do beyond the version it speaks, on every link; used with a far end that can do it too. */
export const features: readonly string[] = ['inquire', 'join', 'resume', 'file', 'accept', 'why', 'folders']

/** `more`: features of this link alone. */
export function helloOf(self: Self, identity: string, more: readonly string[]): Hello {
  return { kind: 'hello', lowest: protocolVersion, highest: protocolVersion, ...speaker(self, 'lead', identity, more) }
}

/** @throws LinkFailure 'version', or 'protocol' when the speaker is not who it may be */
export function answerTo(hello: Hello, self: Self, identity: string, more: readonly string[]): Welcome {
  const protocol = Math.min(hello.highest, protocolVersion)
  if (protocol < hello.lowest || protocol < protocolVersion)
    throw new LinkFailure('version', nothingInCommon(programOf(hello), [hello.lowest, hello.highest], programOf(self)))
  checkSpeaker(hello, self, 'lead', identity)
  return { kind: 'welcome', protocol, heard: hello.run, ...speaker(self, 'peer', identity, more) }
}

/** @throws LinkFailure 'version', or 'protocol' when the speaker is not who it may be */
export function checkWelcome(welcome: Welcome, self: Self, identity: string): void {
  const { protocol } = welcome
  if (protocol !== protocolVersion)
    throw new LinkFailure('version', nothingInCommon(programOf(welcome), [protocol, protocol], programOf(self)))
  checkSpeaker(welcome, self, 'peer', identity)
  if (welcome.heard !== self.run) throw new LinkFailure('protocol', 'a welcome that was meant for another')
}

/** Both ends read it: neither is 'here' or 'there'. */
function nothingInCommon(far: string, [lowest, highest]: readonly [number, number], own: string): string {
  const versions = lowest === highest ? `${lowest}` : `${lowest} to ${highest}`
  return `${far} speaks version ${versions} of the protocol, ${own} speaks ${protocolVersion}: nothing in common`
}

function programOf({ agent, version }: Pick<Speaker, 'agent' | 'version'>): string {
  return `${agent} ${version}`
}

function speaker({ agent, version, run }: Self, role: Role, identity: string, more: readonly string[]): Speaker {
  return { role, identity, agent, version, run, features: [...features, ...more] }
}

function checkSpeaker(said: Speaker, self: Self, role: Role, identity: string): void {
  if (said.role !== role) throw new LinkFailure('protocol', `it says that it is the ${said.role}, not the ${role}`)
  if (said.identity !== identity) throw new LinkFailure('protocol', 'it uses the key of another name')
  if (said.run === self.run) throw new LinkFailure('protocol', 'this agent reached itself')
}
