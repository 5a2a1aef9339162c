import type {
  DirectoryEntry,
  DirectoryEntryStream as WasiDirectoryEntryStream,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'
import { type Instance, Resource } from './instance.ts'
import { type FolderPage, listFolder } from './site-files.ts'

/** `directory-entry-stream` of wasi:filesystem: the names in a folder, a page of them at a time. */
export class DirectoryEntryStream extends Resource implements WasiDirectoryEntryStream {
  readonly #instance: Instance
  readonly #path: string
  #page: FolderPage = { entries: [], more: true }
  #at = 0

  constructor(instance: Instance, path: string) {
    super(instance)
    this.#instance = instance
    this.#path = path
  }

  readDirectoryEntry(): DirectoryEntry | undefined {
    while (this.#at >= this.#page.entries.length) {
      if (!this.#page.more) return undefined
      const [after] = this.#page.entries.at(-1) ?? []
      const page = listFolder(this.#instance, this.#path, after)
      // A page without names has no successor: it would be asked for again and again.
      this.#page = page.entries.length === 0 ? { entries: [], more: false } : page
      this.#at = 0
    }
    const [name, type] = this.#page.entries[this.#at++] as FolderPage['entries'][number]
    return { name, type: type === 'file' ? 'regular-file' : 'directory' }
  }
}
