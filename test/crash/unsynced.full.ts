import { describeUnsynced } from './crash.suite.js'

describeUnsynced([
  'a directory becomes a file',
  'both sides edit one file',
  'each side edits, removes and creates',
  'a user saves just before the exchange',
  'a directory is moved and edited inside',
  'a large file is cut off twice, and goes on where it was',
])
