// npm run build: compiles src to dist, workers included.
import { build, SetupFailure } from './ready.mjs'

try {
  build((line) => console.error(line), { always: true })
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error
  console.error(`tandem: ${error.message}`)
  process.exit(1)
}
