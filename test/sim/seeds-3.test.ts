import { describeSeeds } from './seeds.suite.js'

describeSeeds(151, 225)
