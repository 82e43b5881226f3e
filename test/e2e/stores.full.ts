import { describeDamages, usualDamages } from './stores.suite.js'

describeDamages((what) => !usualDamages.has(what))
