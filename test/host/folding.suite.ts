import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AbsPath } from '../../src/core/path.js'
import { type Directory, FileFailure, type Files } from '../../src/host/files.js'

/** An empty directory on a file system that takes names for one that differ in case alone. */
export interface FoldingFixture {
  readonly files: Files
  readonly root: AbsPath
  dispose(): void
}

/** What tandem takes for granted of a file system that folds case and keeps names as they were created. */
export function describeFolding(title: string, make: () => FoldingFixture): void {
  describe(`a file system that folds case: ${title}`, () => {
    let fixture: FoldingFixture
    let top: Directory
    beforeEach(() => {
      fixture = make()
      top = fixture.files.openDirectory(fixture.root)
    })
    afterEach(() => {
      top.close()
      fixture.dispose()
    })

    const put = (name: string, text: string): void => {
      const file = top.createFile(name, 0o600)
      file.write(Buffer.from(text), 0)
      file.close()
    }
    const textOf = (name: string): string => {
      const file = top.openFile(name)
      const into = new Uint8Array(16)
      const text = Buffer.from(into.subarray(0, file.read(into, 0))).toString()
      file.close()
      return text
    }
    const codeOf = (step: () => void): string => {
      try {
        step()
        return 'done'
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error
        return error.code
      }
    }

    test('a name is kept as it was created, and found under every case', () => {
      put('Notes.TXT', 'text')
      expect(top.names()).toEqual(['Notes.TXT'])
      expect(textOf('notes.txt')).toBe('text')
      expect(top.statAt('NOTES.txt')?.inode).toBe(top.statAt('Notes.TXT')?.inode)
    })

    const taken: readonly (readonly [string, () => void])[] = [
      ['a file', () => put('DIR', 'x')],
      ['a directory', () => top.makeDirectory('DIR', 0o700)],
      ['a link', () => top.makeSymlink('DIR', 'x')],
      ['what is renamed', () => top.rename('other', top, 'DIR', 'no-replace')],
      ['the thing itself', () => top.rename('Dir', top, 'DIR', 'no-replace')],
    ]
    test.each(taken)('a name that is taken in another case is taken: for %s', (_, step) => {
      top.makeDirectory('Dir', 0o700)
      put('other', 'x')
      expect(codeOf(step)).toBe('exists')
      expect(top.names().sort()).toEqual(['Dir', 'other'])
    })

    test('an exchange under another case leaves both names as they were created', () => {
      put('File', 'one')
      put('Other', 'two')
      top.rename('file', top, 'OTHER', 'exchange')
      expect(top.names().sort()).toEqual(['File', 'Other'])
      expect([textOf('File'), textOf('Other')]).toEqual(['two', 'one'])
    })

    test('what is removed under another case is gone, and its name can be made in that case', () => {
      put('File', 'one')
      top.removeFile('FILE')
      expect(top.names()).toEqual([])
      put('FILE', 'two')
      expect(top.names()).toEqual(['FILE'])
    })
  })
}
