// Trees for the benchmarks: files of 0 to 8 KiB, 20 a directory, drawn from one seed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Makes so many files, of noise or of text, and answers their bytes. */
export function makeTree(root, count, isNoise) {
  let seed = 7
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed / 0x7fffffff
  }
  const words = 'const return function value path bytes of the root is not a file and then'.split(' ')
  let total = 0
  for (let n = 0; n < count; n++) {
    const size = Math.floor(next() * 8192)
    const path = join(root, pathOf(n))
    if (n % 20 === 0) mkdirSync(dirname(path), { recursive: true })
    const bytes = Buffer.alloc(size)
    if (isNoise) for (let at = 0; at < size; at++) bytes[at] = next() * 256
    else bytes.fill(Array.from({ length: 200 }, () => words[Math.floor(next() * words.length)]).join(' '))
    writeFileSync(path, bytes)
    total += size
  }
  return total
}

export function pathOf(n) {
  const directory = Math.floor(n / 20)
  return `d${directory % 50}/e${directory}/f${n % 20}.txt`
}
