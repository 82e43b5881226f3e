import { ParcelWatcher } from '../../src/host/node/parcel.js'
import { describeWatcher } from './watcher.suite.js'
import { watcherFixture } from './watcher-fixture.js'

/** With @parcel/watcher on Linux. On macOS it stands on FSEvents, which is another matter. */
const exceptions = {
  'an atomic save and then a removal': 'within one batch it takes the two for nothing',
  'a write through a descriptor that was open before': 'it tells of no close',
  'new times of a dangling symlink': 'it asks stat, which fails where a link leads nowhere',
  'a new owner of a dangling symlink': 'it asks stat, which fails where a link leads nowhere',
  'a directory exchanged with a file, and later a write in it': 'of an exchange it tells one path',
  '60,000 files in one folder': 'it takes long, and is told as a loss',
  'a file made and removed at once': 'it tells nothing when all is as it was',
  'a directory that appears is a subtree, all else is an entry': 'it tells the directory of each event',
  'the last close of a written file is told, and a file that is still open is not closed': 'it tells of no close',
  'what happens outside after a directory was moved out is not told': 'it goes on watching what was moved out',
  'a file that is written without a pause is told once a batch': 'it has no barrier',
  'several roots are told apart': 'it has no barrier',
  'a model fed by reports alone equals the tree': 'the model takes a loss for a fault',
}

if (process.platform === 'linux') describeWatcher('parcel', () => watcherFixture(new ParcelWatcher()), { exceptions })
