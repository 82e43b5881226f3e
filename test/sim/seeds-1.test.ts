import { describeSeeds } from './seeds.suite.js'

describeSeeds(1, 1_000)
