import { describeCrashes } from './crash.suite.js'
import { scripts } from './scripts.js'
import { codes } from './search.js'

const part = Math.ceil(scripts.length / 4)

describeCrashes(1 * part, 2 * part, ['linked', 'local'], codes)
