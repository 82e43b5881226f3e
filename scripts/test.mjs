// npm test: installs when needed, builds, type-checks, lints and tests. Arguments go to vitest: npm test -- test/core
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { project, ready, SetupFailure } from './ready.mjs'

const node = (words) => spawnSync(process.execPath, words, { cwd: project, stdio: 'inherit' })

function step(name, words) {
  console.error(`\n${name}`)
  const done = node(words)
  if (done.status === 0) return
  console.error(`tandem: ${name.toLowerCase()} failed`)
  process.exit(done.status ?? 1)
}

try {
  ready()
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error
  console.error(`tandem: ${error.message}`)
  process.exit(1)
}
const modules = join(project, 'node_modules')
step('Type check', [join(modules, 'typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.test.json'])
step('Lint', [join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'])
step('Tests', [join(modules, 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)])
