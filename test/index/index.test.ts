import { absPath } from '../../src/core/path.js'
import { nodeWorld, temporaryDirectories } from '../host/world.js'
import { describeIndex } from './index.suite.js'

const fresh = temporaryDirectories()

describeIndex('lmdb', () => ({ stores: nodeWorld().stores, path: absPath(`${fresh()}/index.mdb`) }))
