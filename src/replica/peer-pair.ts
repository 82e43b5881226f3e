import { createHash } from 'node:crypto'

/**
 * The pair of a lead as this root knows it: the ids that one peer gives never meet those of another, so that no peer can pass
 * for the lead of another's pair. 32 hex digits, the first eight of them the peer's own.
 */
export function peerPair(identity: string, pair: string): string {
  return peerPrefix(identity) + sha256(JSON.stringify([identity, pair])).slice(0, 24)
}

/** The pair as the directory of a root that is a file knows it: each file has its own generations, outcomes and budget there. */
export function filePair(pair: string, name: string): string {
  return pair.slice(0, pairPrefixChars) + sha256(JSON.stringify([pair, name])).slice(0, 24)
}

function peerPrefix(identity: string): string {
  return sha256(identity).slice(0, pairPrefixChars)
}

/** Pairs whose ids begin alike are of one peer. */
export const pairPrefixChars = 8

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
