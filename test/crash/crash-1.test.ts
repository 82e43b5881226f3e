import { describeCrashes } from './crash.suite.js'

describeCrashes(0, 7, ['linked'], ['io'])
