import { createHash } from 'node:crypto'
import type {
  DescriptorFlags,
  DescriptorStat,
  DescriptorType,
  ErrorCode,
  MetadataHashValue,
  OpenFlags,
  PathFlags,
  Descriptor as WasiDescriptor,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'
import { toDatetime } from './clocks.ts'
import { DirectoryEntryStream } from './directory-entry-stream.ts'
import { resolveGuestPath } from './guest-path.ts'
import { InputStream } from './input-stream.ts'
import { clampLength, type Instance, Resource } from './instance.ts'
import { createFileSource, MAX_FILE_READ_BYTES, readFile, type SiteEntry, statEntry } from './site-files.ts'

const NOTHING = new Uint8Array(0)

/**
 * `descriptor` of wasi:filesystem: a file or folder of the site, which is read only. Whatever would write answers
 * `read-only`. Errors are thrown as codes of WASI's.
 */
export class Descriptor extends Resource implements WasiDescriptor {
  readonly #instance: Instance
  readonly #entry: SiteEntry
  readonly #mayRead: boolean

  constructor(instance: Instance, entry: SiteEntry, mayRead: boolean) {
    super(instance)
    this.#instance = instance
    this.#entry = entry
    this.#mayRead = mayRead
  }

  openAt(_: PathFlags, path: string, openFlags: OpenFlags, flags: DescriptorFlags): Descriptor {
    const { create, truncate, exclusive, directory } = openFlags
    if (create || truncate || exclusive || flags.write || flags.mutateDirectory) refuseWrite()
    if (flags.fileIntegritySync || flags.dataIntegritySync || flags.requestedWriteSync) refuse('unsupported')
    const entry = this.#find(path)
    if (directory && entry.type !== 'folder') refuse('not-directory')
    if (!this.#instance.hasRoom) refuse('insufficient-memory')
    return new Descriptor(this.#instance, entry, flags.read === true)
  }

  read(length: bigint, offset: bigint): [Uint8Array, boolean] {
    const { path, sizeBytes } = this.#requireFile()
    if (offset >= BigInt(sizeBytes)) return [NOTHING, true]
    const at = Number(offset)
    const most = Math.min(clampLength(length, MAX_FILE_READ_BYTES), sizeBytes - at)
    if (most === 0) return [NOTHING, false]
    const bytes = readFile(this.#instance, path, at, most)
    return [bytes, at + bytes.length >= sizeBytes]
  }

  readViaStream(offset: bigint): InputStream {
    const file = this.#requireFile()
    if (!this.#instance.hasRoom) refuse('insufficient-memory')
    const source = createFileSource(this.#instance, file, clampLength(offset, file.sizeBytes))
    return new InputStream(this.#instance, source)
  }

  readDirectory(): DirectoryEntryStream {
    if (this.#entry.type !== 'folder') refuse('not-directory')
    if (!this.#mayRead) refuse('bad-descriptor')
    if (!this.#instance.hasRoom) refuse('insufficient-memory')
    return new DirectoryEntryStream(this.#instance, this.#entry.path)
  }

  getType(): DescriptorType {
    return this.#entry.type === 'file' ? 'regular-file' : 'directory'
  }

  getFlags(): DescriptorFlags {
    return { read: this.#mayRead }
  }

  stat(): DescriptorStat {
    return this.#describe(this.#entry)
  }

  statAt(_: PathFlags, path: string): DescriptorStat {
    return this.#describe(this.#find(path))
  }

  metadataHash(): MetadataHashValue {
    return hashMetadata(this.#entry)
  }

  metadataHashAt(_: PathFlags, path: string): MetadataHashValue {
    return hashMetadata(this.#find(path))
  }

  isSameObject(other: WasiDescriptor): boolean {
    return other instanceof Descriptor && other.#entry.path === this.#entry.path
  }

  /** There are no links: what exists is none. */
  readlinkAt(path: string): never {
    this.#find(path)
    return refuse('invalid')
  }

  advise(): void {
    this.#requireFile()
  }

  /** Nothing is ever behind. */
  sync(): void {}

  /** Nothing is ever behind. */
  syncData(): void {}

  write(): never {
    return refuseWrite()
  }

  writeViaStream(): never {
    return refuseWrite()
  }

  appendViaStream(): never {
    return refuseWrite()
  }

  setSize(): never {
    return refuseWrite()
  }

  setTimes(): never {
    return refuseWrite()
  }

  setTimesAt(): never {
    return refuseWrite()
  }

  createDirectoryAt(): never {
    return refuseWrite()
  }

  removeDirectoryAt(): never {
    return refuseWrite()
  }

  linkAt(): never {
    return refuseWrite()
  }

  symlinkAt(): never {
    return refuseWrite()
  }

  renameAt(): never {
    return refuseWrite()
  }

  unlinkFileAt(): never {
    return refuseWrite()
  }

  #find(given: string): SiteEntry {
    if (this.#entry.type !== 'folder') refuse('not-directory')
    const { path, mustBeFolder } = resolveGuestPath(this.#entry.path, given)
    const entry: SiteEntry = path === '' ? { type: 'folder', path } : statEntry(this.#instance, path)
    if (mustBeFolder && entry.type !== 'folder') refuse('not-directory')
    return entry
  }

  #requireFile(): Extract<SiteEntry, { type: 'file' }> {
    if (this.#entry.type !== 'file') return refuse('is-directory')
    if (!this.#mayRead) refuse('bad-descriptor')
    return this.#entry
  }

  #describe(entry: SiteEntry): DescriptorStat {
    const time = toDatetime(this.#instance.ports.siteTimeMs)
    return {
      type: entry.type === 'file' ? 'regular-file' : 'directory',
      linkCount: 1n,
      size: entry.type === 'file' ? BigInt(entry.sizeBytes) : 0n,
      dataAccessTimestamp: time,
      dataModificationTimestamp: time,
      statusChangeTimestamp: time,
    }
  }
}

/** Differs for different places and for different content: what libraries take for the number of an inode. */
function hashMetadata(entry: SiteEntry): MetadataHashValue {
  const content = entry.type === 'file' ? entry.hash : ''
  const hash = createHash('sha256').update(`${entry.type}\0${entry.path}\0${content}`).digest()
  return { lower: hash.readBigUInt64BE(0), upper: hash.readBigUInt64BE(8) }
}

function refuse(code: ErrorCode): never {
  throw code
}

function refuseWrite(): never {
  return refuse('read-only')
}
