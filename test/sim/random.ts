/**
 * Chance from one seed. A named stream depends on the seed and its name alone, not on what was drawn before: a fault that
 * is added draws from a stream of its own and shifts no other choice.
 */
export class Dice {
  private a: number
  private b: number
  private c: number
  private d = 1

  constructor(
    readonly seed: number,
    private readonly name = '',
  ) {
    const mixed = mix(`${seed}:${name}`)
    this.a = mixed
    this.b = Math.imul(mixed ^ seed, 0x9e3779b1) | 0
    this.c = seed | 0
    for (let round = 0; round < 12; round++) this.next()
  }

  stream(name: string): Dice {
    return new Dice(this.seed, `${this.name}/${name}`)
  }

  /** 32 bits, unsigned: sfc32. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.d) | 0
    this.d = (this.d + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum
    return sum >>> 0
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.next() / 4_294_967_296
  }

  /** An integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.fraction() * count)
  }

  /** An integer in [least, most]. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    // Drawn even for 0: switching a fault off keeps the rest of the stream in place.
    return this.fraction() < probability
  }

  /** Mostly near `least`, sometimes near `most`: how delays are spread. */
  skewed(least: number, most: number): number {
    const at = this.fraction()
    return Math.round(least + (most - least) * at * at * at)
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)]
    if (choice === undefined) throw new Error('nothing to pick from')
    return choice
  }

  /** One of the keys, as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const entries: [Key, number][] = []
    let sum = 0
    for (const key in weights) {
      entries.push([key, weights[key]])
      sum += weights[key]
    }
    let at = this.fraction() * sum
    for (const [key, weight] of entries) {
      at -= weight
      if (at < 0) return key
    }
    throw new Error('weights sum to nothing')
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count)
    for (let at = 0; at < count; at++) bytes[at] = this.next() & 255
    return bytes
  }
}

function mix(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return (hash ^ (hash >>> 13)) | 0
}
