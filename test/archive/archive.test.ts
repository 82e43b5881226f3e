import { absPath } from '../../src/core/path.js'
import { nodeWorld, temporaryDirectories } from '../host/world.js'
import { describeArchive } from './archive.suite.js'

const fresh = temporaryDirectories()

describeArchive('lmdb', () => ({ world: nodeWorld(), path: absPath(`${fresh()}/archive.mdb`) }))
