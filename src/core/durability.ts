/**
 * What a change outlives. power-loss: what is visible and agreed is on disk, on both sides, in the order of ARCHITECTURE.md.
 * process: nothing is synced; a kill loses nothing, but a machine that goes down may lose or empty what was written last.
 */
export const durabilities = ['power-loss', 'process'] as const
export type Durability = (typeof durabilities)[number]
