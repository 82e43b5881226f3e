// The directory that a benchmark works in and removes.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const mark = '.tandem-bench'

/** Makes it, empty. One that holds what is not a benchmark's own stays as it is: the program ends. */
export function freshPlace(place) {
  if (existsSync(place) && !existsSync(join(place, mark)) && readdirSync(place).length > 0) {
    console.error(`${place} holds files of somebody's: name a directory that does not exist, or is empty`)
    process.exit(2)
  }
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, mark), '')
}
