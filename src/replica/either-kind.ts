import type { RootState } from '../wire/message.js'
import { Forwarding } from './forwarding.js'
import { type Opened, type OpenRequest, type ReachedRoot, type Replica, ReplicaFailure } from './replica.js'

/** What a root of this machine can be opened as. */
export interface Kinds {
  /** What stands at its path. */
  look(): Promise<RootState>
  directory(): Replica
  /** @throws ReplicaFailure 'not-directory' */
  file(): Replica
}

/** A root of this machine, which is a directory or a file: who opens it says which. */
export class EitherKind extends Forwarding implements ReachedRoot {
  private opened: Replica | undefined
  private isClosed = false

  constructor(
    private readonly name: string,
    private readonly kinds: Kinds,
  ) {
    super()
  }

  override get canonical(): string {
    return this.name
  }

  look(): Promise<RootState> {
    return this.kinds.look()
  }

  override async open(request: OpenRequest): Promise<Opened> {
    if (this.isClosed) throw this.notOpen()
    this.opened = request.file === undefined ? this.kinds.directory() : this.kinds.file()
    return this.opened.open(request)
  }

  override async close(): Promise<void> {
    this.isClosed = true
    await this.opened?.close()
  }

  protected get root(): Replica {
    if (this.opened === undefined) throw this.notOpen()
    return this.opened
  }

  private notOpen(): ReplicaFailure {
    return new ReplicaFailure('missing', this.canonical, 'it is not open (any more)')
  }
}
