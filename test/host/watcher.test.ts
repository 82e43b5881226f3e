import { InotifyWatcher } from '../../src/host/node/inotify/inotify-watcher.js'
import { describeWatcher } from './watcher.suite.js'
import { watcherFixture } from './watcher-fixture.js'

if (process.platform === 'linux') describeWatcher('inotify', () => watcherFixture(new InotifyWatcher()))
