import { describeSeeds } from './seeds.suite.js'

describeSeeds(101, 200)
