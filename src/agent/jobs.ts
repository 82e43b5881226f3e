import { commitJob } from '../archive/commit.js'
import { foldArchiveJob } from '../archive/fold.js'
import { closeArchiveJob, openArchiveJob } from '../archive/open.js'
import { acceptableJob } from '../replica/jobs/accept.js'
import { acknowledgeJob } from '../replica/jobs/acknowledge.js'
import { applyJob } from '../replica/jobs/apply.js'
import { auditJob, doubtJob, foldJob } from '../replica/jobs/audit.js'
import { letGoJob, removingJob } from '../replica/jobs/budget.js'
import { generationJob } from '../replica/jobs/generation.js'
import { identifyJob } from '../replica/jobs/identify.js'
import { catchUpJob, listJob } from '../replica/jobs/list.js'
import { listVersionsJob } from '../replica/jobs/list-versions.js'
import { setGenerationJob } from '../replica/jobs/marker.js'
import { closeIndexJob, noteScannedJob, noteSyncedJob, openIndexJob } from '../replica/jobs/open-index.js'
import { closeRootJob, openRootJob } from '../replica/jobs/open-root.js'
import { dropPartsJob, prunePartsJob } from '../replica/jobs/part.js'
import { pruneVersionsJob } from '../replica/jobs/prune-versions.js'
import { recoverJob } from '../replica/jobs/recover.js'
import { copyOutJob, restoreJob } from '../replica/jobs/restore.js'
import { measurePartsJob, resumeJob } from '../replica/jobs/resume.js'
import { rootIdentityJob } from '../replica/jobs/root-identity.js'
import { scanJob } from '../replica/jobs/scan.js'
import { spaceJob } from '../replica/jobs/space.js'
import { dropBatchJob, stageJob } from '../replica/jobs/stage.js'
import { supplyCloseJob, supplyNextJob, supplyOpenJob } from '../replica/jobs/supply.js'
import { sweepJob } from '../replica/jobs/sweep.js'
import { syncJob } from '../replica/jobs/sync.js'
import { unacknowledgedJob } from '../replica/jobs/unacknowledged.js'
import { filesystemJob, resolveJob, rootStateJob, stateJob } from './roots.js'

/** Every job that a disk worker can be asked for. */
export const jobs = [
  acceptableJob,
  acknowledgeJob,
  applyJob,
  auditJob,
  catchUpJob,
  closeArchiveJob,
  closeIndexJob,
  closeRootJob,
  commitJob,
  doubtJob,
  copyOutJob,
  dropBatchJob,
  dropPartsJob,
  filesystemJob,
  foldArchiveJob,
  foldJob,
  generationJob,
  identifyJob,
  letGoJob,
  listJob,
  listVersionsJob,
  measurePartsJob,
  noteScannedJob,
  noteSyncedJob,
  openArchiveJob,
  openIndexJob,
  openRootJob,
  prunePartsJob,
  pruneVersionsJob,
  recoverJob,
  removingJob,
  restoreJob,
  resolveJob,
  resumeJob,
  rootIdentityJob,
  rootStateJob,
  scanJob,
  setGenerationJob,
  spaceJob,
  stageJob,
  stateJob,
  supplyCloseJob,
  supplyNextJob,
  supplyOpenJob,
  sweepJob,
  syncJob,
  unacknowledgedJob,
] as const
