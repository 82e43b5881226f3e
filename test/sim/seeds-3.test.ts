import { describeSeeds } from './seeds.suite.js'

describeSeeds(1001, 1500)
