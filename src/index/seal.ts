import { byteName, SurveyDigest, surveyWords, writeSurveyed } from '../host/survey.js'
import type { IndexMember } from './index.js'
import type { IndexRecord } from './record.js'

/**
 * What Directory.survey says of a directory in which nothing changed since these records of all its members, which come in
 * the order of their bytes; undefined when an equal stamp of one of them does not mean that it is unchanged.
 */
export function sealOf(members: Iterable<IndexMember>): Uint8Array | undefined {
  const digest = new SurveyDigest()
  const words = new Uint32Array(surveyWords)
  for (const { name, record } of members) {
    const { kind } = record
    if (kind === 'unknown' || !isTrusted(record)) return undefined
    writeSurveyed({ ...record, kind }, words, 0)
    digest.add(byteName(name), words, 0)
  }
  return digest.end()
}

function isTrusted(record: IndexRecord): boolean {
  return record.problem === undefined && !(record.racy && (record.fingerprint ?? record.target) !== undefined)
}
