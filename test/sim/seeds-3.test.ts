import { describeSeeds } from './seeds.suite.js'

describeSeeds(201, 300)
