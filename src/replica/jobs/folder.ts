import { relPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { dropEmptyDirectory, dropFile } from './place.js'

/**
 * A directory in `in/` that holds files of a batch under their own names: those of a directory that the batch makes. It is published as
 * it is, by one rename, where nothing speaks against that; else its files are published one by one. Their slots are named
 * `FOLDER/NAME`.
 */
export const folderName = (mark: string, number: number) => `${mark}-${number}d`
const folderPattern = /^[0-9a-f]+-\d+d$/

/** The folder of a slot. */
export function folderOfSlot(slot: string): string | undefined {
  const at = slot.indexOf('/')
  return at < 0 ? undefined : slot.slice(0, at)
}

/** Its name there, or that of a slot of its own. */
export const nameInFolder = (slot: string) => slot.slice(slot.indexOf('/') + 1)

export function openFolderOf(received: Directory, folder: string): Directory {
  return received.openDirectory(relPath(folder))
}

/** Runs `body` with the directory that holds a slot, and its name there. @throws FileFailure */
export function atSlot<T>(received: Directory, slot: string, body: (directory: Directory, name: string) => T): T {
  const folder = folderOfSlot(slot)
  if (folder === undefined) return body(received, slot)
  const directory = openFolderOf(received, folder)
  try {
    return body(directory, nameInFolder(slot))
  } finally {
    directory.close()
  }
}

/** Removes slots, and folders with the files in them. Answers the names of those that could not be removed. */
export function dropSlots(received: Directory, slots: readonly string[]): string[] {
  return slots.filter((slot) => {
    try {
      dropSlot(received, slot)
      return false
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return true
    }
  })
}

/** A folder goes with its last slot. @throws FileFailure */
export function dropSlot(received: Directory, slot: string): void {
  const folder = folderOfSlot(slot)
  if (folder === undefined && !folderPattern.test(slot)) {
    dropFile(received, slot)
    return
  }
  inFolder(received, folder ?? slot, (directory) => {
    for (const name of folder === undefined ? directory.names() : [nameInFolder(slot)]) dropFile(directory, name)
  })
  dropEmptyDirectory(received, folder ?? slot)
}

/** Nothing where there is no such folder. */
function inFolder(received: Directory, folder: string, body: (directory: Directory) => void): void {
  let directory: Directory
  try {
    directory = openFolderOf(received, folder)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
    return
  }
  try {
    body(directory)
  } finally {
    directory.close()
  }
}
