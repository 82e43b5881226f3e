// npm test: installs when needed, builds, type-checks, lints and tests. Arguments go to vitest: npm test -- test/core
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { project, ready, SetupFailure } from './ready.mjs'

/** Runs Node; answers what it said, unless it says it itself as it goes, and how it ended. */
function node(words, { aloud }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, {
      cwd: project,
      stdio: aloud ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text) => {
        said += text
      })
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, said }))
  })
}

/** Prints what a step said, and ends here if it failed. */
function finish(name, { status, said }) {
  if (said !== '') process.stderr.write(`\n${name}\n${said}`)
  if (status === 0) return
  console.error(`tandem: ${name.toLowerCase()} failed`)
  process.exit(status ?? 1)
}

try {
  ready()
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error
  console.error(`tandem: ${error.message}`)
  process.exit(1)
}
const modules = join(project, 'node_modules')
console.error('\nType check and lint')
const checks = {
  'Type check': [join(modules, 'typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.test.json'],
  Lint: [join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'],
}
// Beside each other, and each is told whole.
const done = await Promise.all(Object.values(checks).map((words) => node(words, { aloud: false })))
for (const [at, name] of Object.keys(checks).entries()) finish(name, done[at])
console.error('\nTests')
finish('Tests', await node([join(modules, 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)], { aloud: true }))
