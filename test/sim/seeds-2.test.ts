import { describeSeeds } from './seeds.suite.js'

describeSeeds(1_001, 2_000)
