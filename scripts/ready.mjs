// Makes a checkout ready to run, with Node alone: installs when the lockfile is not the one last installed, builds when a source
// is not the one last built. Two at once wait for each other. Nothing here replaces a file that a running agent has open for use,
// unless a source or the lockfile changed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const project = dirname(dirname(fileURLToPath(import.meta.url)))
const at = (...parts) => join(project, ...parts)

const installStamp = at('node_modules', '.tandem-lock')
const buildStamp = at('dist', '.built-from')
const lock = at('.tandem', 'ready')

/** Installs and builds as needed. `say` gets a line for each thing that takes time. */
export function ready(say = (line) => console.error(line)) {
  if (isInstalled() && isBuilt()) return
  const release = takeLock(say)
  try {
    install(say)
    build(say)
  } finally {
    release()
  }
}

function lockDigest() {
  return digestOf([at('package-lock.json')], `${process.platform} ${process.arch}`)
}

function isInstalled() {
  return existsSync(installStamp) && readFileSync(installStamp, 'utf8') === lockDigest()
}

export function install(say) {
  if (isInstalled()) return
  say('Installing packages ...')
  const npm = process.env.npm_execpath
  const words = ['ci', '--include=dev', '--no-audit', '--no-fund']
  // npm_execpath is the npm that started us; another package manager would not read our lockfile.
  const done = npm?.endsWith('npm-cli.js')
    ? spawnSync(process.execPath, [npm, ...words], { cwd: project, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', words, { cwd: project, stdio: ['ignore', 2, 2] })
  if (done.error !== undefined) fail(`npm cannot be started: ${done.error.message}`)
  if (done.status !== 0) fail(`npm ci failed (${done.status ?? done.signal})`)
  writeFileSync(installStamp, lockDigest())
}

function sources(directory = at('src')) {
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      return entry.isDirectory() ? sources(path) : entry.name.endsWith('.ts') ? [path] : []
    })
    .sort()
}

function sourceDigest(files) {
  return digestOf([...files, at('tsconfig.json'), at('scripts', 'bundle.mjs'), at('package-lock.json')], '')
}

function isBuilt() {
  return (
    existsSync(buildStamp) &&
    existsSync(at('dist', 'cli.js')) &&
    readFileSync(buildStamp, 'utf8') === sourceDigest(sources())
  )
}

/**
 * Compiles and bundles src, then puts into dist what differs, each file in one step, removes what no source makes any more, and makes
 * the program executable. So an agent that runs from dist, or loads a part of it just now, never sees half a file.
 */
export function build(say, { always = false } = {}) {
  if (!always && isBuilt()) return
  say('Building ...')
  const fresh = at('.tandem', `build.${process.pid}`)
  const files = sources()
  const digest = sourceDigest(files)
  try {
    const step = (words) => {
      const done = spawnSync(process.execPath, words, { cwd: project, stdio: ['ignore', 2, 2] })
      if (done.status !== 0) fail(`the build failed (${done.status ?? done.signal})`)
    }
    step([at('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json', '--outDir', fresh])
    step([at('scripts', 'bundle.mjs'), fresh])
    chmodSync(join(fresh, 'cli.js'), 0o755)
    rmSync(buildStamp, { force: true })
    putInPlace(fresh, at('dist'))
    writeFileSync(buildStamp, digest)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Makes `target` hold what `fresh` holds, and nothing else. */
function putInPlace(fresh, target) {
  mkdirSync(target, { recursive: true })
  const made = readdirSync(fresh, { withFileTypes: true })
  for (const entry of made) {
    const from = join(fresh, entry.name)
    const to = join(target, entry.name)
    if (entry.isDirectory()) putInPlace(from, to)
    else if (!isSame(from, to)) renameSync(from, to)
  }
  const names = new Set(made.map((entry) => entry.name))
  for (const name of readdirSync(target)) if (!names.has(name)) rmSync(join(target, name), { recursive: true })
}

function isSame(one, other) {
  if (!existsSync(other) || statSync(one).mode !== statSync(other).mode) return false
  return readFileSync(one).equals(readFileSync(other))
}

function digestOf(files, salt) {
  const hash = createHash('sha256').update(`${salt}\n`)
  for (const file of files)
    hash
      .update(`${file.slice(project.length)}\n`)
      .update(readFileSync(file))
      .update('\n')
  return `${hash.digest('hex')}\n`
}

/**
 * One at a time. The lock is a directory that comes into being with its holder's pid in it, in one step: a directory is not renamed over
 * one that holds something. One whose holder is gone is a leftover.
 */
function takeLock(say) {
  const fresh = `${lock}.${process.pid}`
  const aside = `${fresh}.old`
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  let told = false
  mkdirSync(fresh, { recursive: true })
  writeFileSync(join(fresh, 'pid'), `${process.pid}\n`)
  for (;;) {
    if (moved(fresh, lock)) return () => rmSync(lock, { recursive: true, force: true })
    if (isLeftover()) {
      // Under another name first: of two that find it stale, one moves it.
      if (moved(lock, aside)) rmSync(aside, { recursive: true, force: true })
      continue
    }
    if (!told) say('Waiting for another start of tandem to finish its set-up ...')
    told = true
    Atomics.wait(waiting, 0, 0, 100)
  }
}

function moved(from, to) {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)) return false
    throw error
  }
}

function isLeftover() {
  try {
    return !isAlive(Number(readFileSync(join(lock, 'pid'), 'utf8')))
  } catch (error) {
    if (error.code === 'ENOENT') return true
    throw error
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function fail(why) {
  throw new SetupFailure(why)
}

/** Set-up did not succeed; what was wrong has been printed. */
export class SetupFailure extends Error {}
