import { nodeClock } from '../host/node/clock.js'
import { nodeFiles } from '../host/node/files.js'
import { nodeMachine } from '../host/node/machine.js'
import { nodeRandom } from '../host/node/random.js'
import { serveJobs } from '../host/node/serve-jobs.js'
import { nodeStores } from '../host/node/store.js'
import { jobs } from './jobs.js'

// The entry of every disk worker thread.
serveJobs(jobs, {
  files: nodeFiles(),
  stores: nodeStores(),
  clock: nodeClock(),
  random: nodeRandom(),
  machine: nodeMachine(),
})
