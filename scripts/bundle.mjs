// node scripts/bundle.mjs DIRECTORY: puts what each process and each thread begins with into one file, in place of the compiled entry in
// DIRECTORY. A start reads and compiles three files instead of hundreds; the other compiled files stay, for tests and scripts.
import { resolve } from 'node:path'
import { build } from 'esbuild'

const [directory] = process.argv.slice(2)

/** They bring machine code, or threads of their own, and find their parts beside themselves. */
const native = /^(koffi|lmdb|pino|@parcel\/watcher)$/

/** A static import of these would be done at the start, by every command; a require is done when its importer is needed. */
const requireLate = {
  name: 'require-late',
  setup(bundle) {
    bundle.onResolve({ filter: native }, ({ path, namespace }) =>
      namespace === 'late' ? { path, external: true } : { path, namespace: 'late' },
    )
    bundle.onLoad({ filter: native, namespace: 'late' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }))
  },
}

/** As large as the rest together, and only for a configuration file: in a file of its own, which the program imports when it reads one. */
const zodApart = {
  name: 'zod-apart',
  setup(bundle) {
    bundle.onResolve({ filter: /^zod$/ }, () => ({ path: './zod.js', external: true }))
  },
}

/** Begins when the program's threads have been started: in a file of its own, since a file is compiled as a whole. */
const mainApart = {
  name: 'main-apart',
  setup(bundle) {
    bundle.onResolve({ filter: /\/cli\/main\.js$/ }, () => ({ path: './main.js', external: true }))
  },
}

const common = {
  // Names of sources are written into the bundle: seen from here they are the same in every build.
  absWorkingDir: resolve(directory),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
}

await build({
  ...common,
  stdin: { contents: "export * from 'zod'", resolveDir: resolve(directory) },
  outfile: 'zod.js',
  minify: true,
})
const threads = {
  ...common,
  outdir: '.',
  plugins: [requireLate, zodApart],
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'\nconst require = requireFrom(import.meta.url)",
  },
}

await build({ ...threads, entryPoints: [{ in: 'cli/main.js', out: 'main' }] })
await build({
  ...threads,
  entryPoints: ['cli.js', 'agent/disk-worker.js', 'host/node/watch-worker.js'],
  outbase: '.',
  allowOverwrite: true,
  plugins: [requireLate, zodApart, mainApart],
})
