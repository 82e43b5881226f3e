import { describeSeeds } from './seeds.suite.js'

describeSeeds(451, 600)
