import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type AbsPath, absPath } from '../core/path.js'
import { ConfigFailure } from './config.js'

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly homeDirectory: string
  readonly workingDirectory: string
}

/** `--state-dir`, else $TANDEM_STATE_DIR, else $XDG_STATE_HOME/tandem, else ~/.local/state/tandem. Empty ones count as not given. */
export function stateDirectory(option: string | undefined, around: Surroundings): AbsPath {
  if (option !== undefined && option !== '') return absPath(resolve(around.workingDirectory, option))
  const own = around.env.TANDEM_STATE_DIR
  if (own !== undefined && own !== '') return absPath(resolve(around.workingDirectory, own))
  const xdg = around.env.XDG_STATE_HOME
  // The XDG specification: a relative path is to be ignored.
  if (xdg?.startsWith('/')) return absPath(join(xdg, 'tandem'))
  return absPath(join(around.homeDirectory, '.local', 'state', 'tandem'))
}

/** Makes it, and what leads to it, for its owner only. @throws ConfigFailure 'state-directory' */
export function makeStateDirectory(path: AbsPath): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigFailure(
      'state-directory',
      `${path}: the state directory cannot be ${code === 'EACCES' || code === 'EROFS' ? 'written' : 'made'} (${code}); name another with --state-dir`,
      error,
    )
  }
  const stat = statSync(path)
  if (!stat.isDirectory()) throw new ConfigFailure('state-directory', `${path}: the state directory is not a directory`)
}
