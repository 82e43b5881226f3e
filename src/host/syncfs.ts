import type { Machine } from './host.js'

/**
 * Whether a syncfs says so when bytes could not be written. Linux tells since 5.8; before, only a sync of the very file does. Of
 * a release that makes no sense the best is believed; other systems have no syncfs, and what stands for it is all there is.
 */
export function syncfsTells({ platform, kernel }: Pick<Machine, 'platform' | 'kernel'>): boolean {
  const version = /^(\d+)\.(\d+)/.exec(kernel)
  if (platform !== 'linux' || version === null) return true
  const [major, minor] = [Number(version[1]), Number(version[2])]
  return major > 5 || (major === 5 && minor >= 8)
}
