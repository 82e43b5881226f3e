import { defineConfig } from 'vitest/config'

/** What takes too long for every `npm test`: npm run test:full. */
export default defineConfig({
  test: {
    include: ['test/**/*.full.ts'],
    testTimeout: 600_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Tests of processes mostly wait: two files at a time, on one core too.
    maxWorkers: 2,
  },
})
