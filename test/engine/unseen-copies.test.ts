import { expect, test } from 'vitest'
import type { Preferences } from '../../src/config/preferences.js'
import { relPath } from '../../src/core/path.js'
import { FakePair } from './fake-pair.js'

const views: readonly [what: string, Partial<Preferences>][] = [
  ['ignore', { ignore: ['Name *conflict_on*'] }],
  ['path', { path: [relPath('f')] }],
]
test.each(views)(
  'copyonconflict, kept versions left out by %s: the second conflict of a day ends too',
  async (_, view) => {
    const pair = new FakePair().prefer({ prefer: 'alpha', copyonconflict: true, ...view })
    pair.alpha.write('f', 'v0')
    await pair.pass()
    for (const round of ['one', 'two', 'three']) {
      await pair.clock.pass(2_000)
      pair.alpha.write('f', `alpha ${round}`)
      pair.beta.write('f', `beta's ${round}`)
      expect(await pair.pass()).toMatchObject({ applied: 1, failed: 0 })
    }
    expect(Object.values(pair.beta.tree()).sort()).toEqual(['alpha three', "beta's one", "beta's three", "beta's two"])
  },
)
