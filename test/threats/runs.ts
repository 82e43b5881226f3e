/** How many cases a fuzzing test tries: `few` in `npm test`, a million in `npm run soak`, which sets TANDEM_FUZZ_RUNS. */
export function runs(few: number): number {
  return Number(process.env.TANDEM_FUZZ_RUNS ?? few)
}

/** How long a race is kept up: 5 s in `npm test`, 60 s in `npm run test:full`, which sets TANDEM_FULL. */
export const raceSeconds = process.env.TANDEM_FULL === undefined ? 5 : 60
