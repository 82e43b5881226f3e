import { describeSeeds } from './seeds.suite.js'

describeSeeds(501, 1000)
