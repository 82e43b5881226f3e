import { describeHarms, usualHarms } from './archives.suite.js'

describeHarms((what) => !usualHarms.has(what))
