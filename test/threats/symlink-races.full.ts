import { describeRaces } from './symlink-races.suite.js'

describeRaces(60)
