/**
 * Room for what is under way: bytes that the far end has not given credit for, or requests it has not answered. Who takes
 * more than there is waits its turn; something larger than the whole window passes when nothing else is under way.
 */
export class Window {
  private out = 0
  private failure: Error | undefined
  private readonly waiting: { readonly amount: number; resolve(): void; reject(error: Error): void }[] = []

  constructor(private readonly most: number) {}

  /** What is under way. */
  get taken(): number {
    return this.out
  }

  take(amount: number): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    if (this.waiting.length > 0 || !this.fits(amount))
      return new Promise((resolve, reject) => this.waiting.push({ amount, resolve, reject }))
    this.out += amount
    return Promise.resolve()
  }

  /** False, and nothing done, when that much is not under way. */
  give(amount: number): boolean {
    if (amount > this.out) return false
    this.out -= amount
    for (let next = this.waiting[0]; next !== undefined && this.fits(next.amount); next = this.waiting[0]) {
      this.waiting.shift()
      this.out += next.amount
      next.resolve()
    }
    return true
  }

  /** Ends the waiting: who waits, and who comes later, gets `failure`. */
  close(failure: Error): void {
    this.failure ??= failure
    for (const { reject } of this.waiting.splice(0)) reject(failure)
  }

  private fits(amount: number): boolean {
    return this.out === 0 || this.out + amount <= this.most
  }
}
