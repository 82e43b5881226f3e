import { describeSeeds } from './seeds.suite.js'

describeSeeds(76, 150)
