import { unreachable } from '../core/assert.js'
import { Failure } from '../core/failure.js'
import type { AbsPath } from '../core/path.js'
import type { Compression } from './compression.js'

/** Persistent, message-framed connections to a far end that is known: a websocket, whatever carries it. */
export interface Sockets {
  /** @throws LinkFailure; aborting `signal` ends the attempt */
  connect(target: Target, signal: AbortSignal): Promise<Socket>
  /**
   * `secretOf` answers the key of an identity, or undefined for an unknown one; only `wss` asks. `accept` gets each socket whose
   * far end is known, `refused` is told of the others.
   * @throws LinkFailure 'port-in-use', 'denied' or 'unreachable' (address not of this machine)
   */
  listen(
    place: Place,
    secretOf: (identity: string) => Uint8Array | undefined,
    accept: (socket: Socket) => void,
    refused: Refused,
  ): Promise<Listener>
}

/** Why somebody was not let in, and where that one is, as Socket.remote says it. */
export type Refused = (failure: LinkFailure, remote: string) => void

/**
 * Where a far end is, and what shows that it is the right one.
 *
 *     wss      TLS 1.3 with an external PSK
 *     ws       nothing: only on the loopback
 *     socket   a Unix socket: the far end is of this user, as the kernel tells
 *     ssh      the standard streams of a program that the user's own ssh runs there as a user of that machine
 */
export type Target =
  | { readonly kind: 'wss'; readonly endpoint: Endpoint; readonly secret: Secret }
  | { readonly kind: 'ws'; readonly endpoint: Endpoint }
  | { readonly kind: 'socket'; readonly path: AbsPath }
  /** `command`: program and arguments. `host`: [user@]host[:port], for messages. */
  | { readonly kind: 'ssh'; readonly host: string; readonly command: readonly [string, ...string[]] }

/** Where far ends are waited for. */
export type Place =
  | { readonly kind: 'wss' | 'ws'; readonly endpoint: Endpoint }
  | { readonly kind: 'socket'; readonly path: AbsPath }

/** Port 0: any free one; the listener tells which. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface Secret {
  /** The peer's name; travels in clear in the ClientHello. */
  readonly identity: string
  /** 32 random bytes. */
  readonly key: Uint8Array
}

/** The identity of a far end that is this very user: it may do whatever the user may. No peer can have such a name. */
export const sameUser = '@user'
/** That of a far end of which nothing is known but that it is on this machine. */
export const anyone = '@anyone'

export interface Listener {
  /** With the port that was found. */
  readonly place: Place
  close(): Promise<void>
}

/** 'host:port', an IPv6 address in brackets. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** For messages: 'host:port', '{/path}' of a Unix socket, or the host as ssh has it. */
export function placeText(place: Target | Place): string {
  switch (place.kind) {
    case 'wss':
    case 'ws':
      return endpointText(place.endpoint)
    case 'socket':
      return `{${place.path}}`
    case 'ssh':
      return place.host
    default:
      return unreachable(place)
  }
}

export interface Socket {
  /** The PSK identity that was used, on both ends; else sameUser or anyone. */
  readonly identity: string
  /** Of the far end, for messages: 'address:port', or what else tells where it is. */
  readonly remote: string
  /**
   * What shortens frames, where the way is long enough for that. Who connected knows the way: undefined for a far end of this machine,
   * and where what carries it does so already. Who was connected to has it always.
   */
  readonly compression: Compression | undefined
  /** Bytes that came so far, also of a message that is not whole yet; what waits in the kernel while this end does not read is not in it. */
  readonly receivedBytes: number
  /** Bytes accepted by send and not yet handed to the kernel. */
  readonly bufferedBytes: number
  /** One binary message of at most frameBytesMax bytes. The bytes are taken over: not to be changed after. */
  send(frame: Uint8Array): void
  /**
   * Begins delivery; messages that came before wait. `frame` gets whole messages in order; `closed` is called once, last;
   * `drained` after bufferedBytes fell below the low mark (1 MiB) following a send that found it above.
   */
  start(on: { frame(bytes: Uint8Array): void; drained(): void; closed(failure: LinkFailure): void }): void
  /** Stops reading from the network: back-pressure. */
  pause(): void
  resume(): void
  /** Ends the connection; `reason` is a stable code of at most 64 characters that the far end sees. */
  close(reason: string): void
}

/** Largest message of the protocol; a longer one closes the link. */
export const frameBytesMax = 1 << 20

/** The low mark of Socket.bufferedBytes: bulk waits while there is as much as this. */
export const bufferedLowBytes = 64 * 1024

export type LinkCode =
  | 'refused' // nobody listens there
  | 'unreachable' // host or network not reachable, name not known
  | 'wrong-key' // the far end knows the name, the key differs
  | 'unknown-peer' // the far end does not know the name
  | 'timed-out' // no answer within the deadline, or heartbeats missed
  | 'lost' // the connection ended
  | 'protocol' // the far end broke the protocol
  | 'version' // nothing in common
  | 'closed' // this end closed it
  | 'denied' // no permission (port, root)
  | 'port-in-use'
  | 'unknown-root' // the far end does not serve that name, or not to us
  | 'root-in-doubt' // the far end's root is missing, unreadable or exchanged
  | 'root-busy'
  | 'no-program' // tandem, or ssh, is not installed where it is needed

export class LinkFailure extends Failure {
  override readonly name = 'LinkFailure'
  constructor(
    readonly code: LinkCode,
    detail: string,
    cause?: unknown,
  ) {
    super(detail, cause === undefined ? undefined : { cause })
  }
  /** Whether it makes sense to try again without a person's help. */
  override get transient(): boolean {
    return ['refused', 'unreachable', 'timed-out', 'lost', 'closed', 'root-busy'].includes(this.code)
  }
}
