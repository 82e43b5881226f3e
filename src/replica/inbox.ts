/** What has arrived and was not yet taken, in order; one taker. Bounded by whoever puts. */
export class Inbox<T> {
  private items: T[] = []
  private over = false
  private failure: Error | undefined
  private wake: () => void = () => {}

  get size(): number {
    return this.items.length
  }

  put(item: T): void {
    this.items.push(item)
    this.wake()
  }

  /** Nothing more will come. With an error, the taker gets it after what has arrived. */
  end(failure?: Error): void {
    this.over = true
    this.failure ??= failure
    this.wake()
  }

  /** Everything that is there, out of the taker's sight. */
  empty(): readonly T[] {
    return this.items.splice(0)
  }

  /** The next item, or undefined when nothing more will come. */
  async take(): Promise<T | undefined> {
    while (this.items.length === 0) {
      if (this.failure !== undefined) throw this.failure
      if (this.over) return undefined
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return this.items.shift()
  }
}
