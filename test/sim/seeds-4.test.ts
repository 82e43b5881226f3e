import { describeSeeds } from './seeds.suite.js'

describeSeeds(1501, 2000)
