import { describeSeeds } from './seeds.suite.js'

describeSeeds(226, 300)
