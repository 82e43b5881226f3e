import { describeCrashes } from './crash.suite.js'
import { quickScripts } from './scripts.js'

describeCrashes(7, quickScripts, ['linked'], ['io'])
