import { describeCrashes } from './crash.suite.js'
import { quickScripts } from './scripts.js'

describeCrashes(0, quickScripts, ['linked'], ['io'])
