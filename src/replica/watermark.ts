/**
 * The sequence up to which every change has been handed on. Jobs give sequences in their transactions and end in any order:
 * the mark moves only over ranges that join.
 */
export class Watermark {
  private readonly ahead = new Map<number, number>()

  constructor(private mark: number) {}

  get sequence(): number {
    return this.mark
  }

  /** The changes from `first` to `last` have been handed on; nothing when first > last. */
  pass(first: number, last: number): void {
    if (first > last) return
    this.ahead.set(first, last)
    for (;;) {
      const next = this.ahead.get(this.mark + 1)
      if (next === undefined) return
      this.ahead.delete(this.mark + 1)
      this.mark = next
    }
  }
}
