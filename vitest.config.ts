import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * What takes longest, in the order in which it is begun: late it would run alone at the end. What simulates keeps a core busy,
 * what starts processes mostly waits, so that they stand in turn.
 */
const longest = [
  'sim/seeds-1',
  'e2e/roots',
  'threats/silent-peer',
  'crash/crash-1',
  'e2e/budget',
  'e2e/preferences',
  'e2e/carriers',
  'sim/seeds-2',
  'e2e/watch',
  'e2e/sync',
  'crash/crash-2',
  'e2e/file-roots',
  'host/watcher',
  'e2e/restore',
  'e2e/pairing',
  'e2e/limits',
  'threats/growth',
  'e2e/resume',
  'replica/jobs/crash',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(`test/${name}.test.ts`))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other))
  }
}

/** Rooms whose tests leave nothing behind in their process: one process runs many files, and loads what they import once. */
const shared = ['archive', 'core', 'index', 'status', 'wire'].map((room) => `test/${room}/**/*.test.ts`)

export default defineConfig({
  test: {
    // A test that waits has its own deadline, shorter than this, and says what it waited for.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    // Tests of processes mostly wait: three files at a time on two cores.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: shared } },
      { extends: true, test: { name: 'shared', include: shared, isolate: false } },
    ],
  },
})
