import { Failure } from '../core/failure.js'

/** Persistent, authenticated, message-framed connections: a websocket over TLS 1.3 with an external PSK. */
export interface Sockets {
  /** @throws LinkFailure; aborting `signal` ends the attempt */
  connect(endpoint: Endpoint, secret: Secret, signal: AbortSignal): Promise<Socket>
  /**
   * `secretOf` answers the key of an identity, or undefined for an unknown one. `accept` gets each authenticated socket.
   * @throws LinkFailure 'port-in-use', 'denied' or 'unreachable' (address not of this machine)
   */
  listen(
    endpoint: Endpoint,
    secretOf: (identity: string) => Uint8Array | undefined,
    accept: (socket: Socket) => void,
    refused: (failure: LinkFailure) => void,
  ): Promise<Listener>
}

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

export interface Listener {
  readonly endpoint: Endpoint
  close(): Promise<void>
}

export interface Socket {
  /** The PSK identity that was used, on both ends. */
  readonly identity: string
  /** Of the far end, for messages: 'address:port'. */
  readonly remote: string
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
export const bufferedLowBytes = 1 << 20

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
