import { LinkFailure } from '../../src/host/sockets.js'

/** The code of the LinkFailure that an attempt ends with. */
export async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof LinkFailure) return error.code
    throw error
  }
  return 'no failure'
}
