import { describeSeeds } from './seeds.suite.js'

describeSeeds(301, 400)
