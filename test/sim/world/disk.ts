import type { Random } from '../../support/seeds.ts'

/** The bytes of a file: as the processes see them, and as the platter has them. */
export interface Inode {
  bytes: Buffer
  synced: Buffer
}

type Entries = Map<string, Inode>

export interface DiskFaults {
  /** Says that a sync is done, and does nothing. */
  lies: boolean
  /** Bytes that fit; a write beyond fails with ENOSPC. */
  capacityBytes: number
}

/**
 * The disk of one machine. Bytes are kept over a loss of power when their file was synced; names (new files, renames,
 * removals) when a folder was synced. Of what was not, a loss of power keeps a random beginning, or nothing.
 */
export class Disk {
  readonly faults: DiskFaults = { lies: false, capacityBytes: Number.POSITIVE_INFINITY }
  /** Called before and after a sync takes effect: where a crash is most telling. */
  onSync: ((when: 'before' | 'after') => void) | undefined
  syncs = 0
  readonly #random: Random
  #entries: Entries = new Map()
  #durable: Entries = new Map()
  /** Changes of names that no sync has made durable, in order. */
  #journal: ((entries: Entries) => void)[] = []
  readonly #folders = new Set<string>()

  constructor(random: Random) {
    this.#random = random
  }

  find(path: string): Inode | undefined {
    return this.#entries.get(path)
  }

  isFolder(path: string): boolean {
    if (this.#folders.has(path)) return true
    const prefix = `${path}/`
    for (const name of this.#entries.keys()) if (name.startsWith(prefix)) return true
    return false
  }

  makeFolder(path: string): void {
    this.#folders.add(path)
  }

  list(folder: string): string[] {
    const prefix = `${folder}/`
    const names = new Set<string>()
    for (const path of [...this.#entries.keys(), ...this.#folders])
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split('/')[0] as string)
    return [...names].sort()
  }

  create(path: string): Inode {
    const inode: Inode = { bytes: Buffer.alloc(0), synced: Buffer.alloc(0) }
    this.#change((entries) => entries.set(path, inode))
    return inode
  }

  /** Throws ENOSPC. */
  write(inode: Inode, bytes: Uint8Array, position = inode.bytes.length): void {
    const end = position + bytes.length
    const growth = Math.max(0, end - inode.bytes.length)
    if (growth > 0 && this.usedBytes() + growth > this.faults.capacityBytes)
      throw failure('ENOSPC', 'no space left on device')
    const next = Buffer.alloc(Math.max(end, inode.bytes.length))
    inode.bytes.copy(next)
    next.set(bytes, position)
    inode.bytes = next
  }

  truncate(inode: Inode): void {
    inode.bytes = Buffer.alloc(0)
  }

  rename(from: string, to: string): void {
    const moved = [...this.#entries.keys()].filter((path) => path === from || path.startsWith(`${from}/`))
    const wasFolder = this.#folders.delete(from)
    if (wasFolder) this.#folders.add(to)
    if (moved.length === 0 && !wasFolder) throw failure('ENOENT', `no such file: ${from}`)
    this.#change((entries) => {
      for (const path of moved) {
        const inode = entries.get(path)
        if (inode === undefined) continue
        entries.delete(path)
        entries.set(to + path.slice(from.length), inode)
      }
    })
  }

  remove(path: string): boolean {
    const gone = [...this.#entries.keys()].filter((name) => name === path || name.startsWith(`${path}/`))
    const wasFolder = this.#folders.delete(path)
    if (gone.length > 0)
      this.#change((entries) => {
        for (const name of gone) entries.delete(name)
      })
    return wasFolder || gone.length > 0
  }

  copy(from: string, to: string): void {
    for (const [path, inode] of [...this.#entries])
      if (path === from || path.startsWith(`${from}/`))
        this.write(this.create(to + path.slice(from.length)), inode.bytes)
  }

  syncFile(inode: Inode): void {
    this.onSync?.('before')
    this.syncs++
    if (!this.faults.lies) inode.synced = inode.bytes
    this.onSync?.('after')
  }

  /** As journals do it: with one name all names before it. */
  syncFolder(): void {
    this.onSync?.('before')
    if (!this.faults.lies) {
      for (const change of this.#journal) change(this.#durable)
      this.#journal = []
    }
    this.onSync?.('after')
  }

  /** The machine lost its power: what no sync had made durable is gone, or torn. */
  losePower(): void {
    const kept = this.#random.chance(0.5) ? this.#random.integer(this.#journal.length + 1) : 0
    for (const change of this.#journal.slice(0, kept)) change(this.#durable)
    this.#journal = []
    this.#entries = new Map(this.#durable)
    for (const inode of new Set(this.#entries.values())) {
      inode.bytes = this.#tear(inode)
      inode.synced = inode.bytes
    }
  }

  /** Flips one bit of a file whose path ends like this. Returns whether there was one. */
  flipBit(isMeant: (path: string) => boolean): boolean {
    const files = [...this.#entries].filter(([path, { bytes }]) => isMeant(path) && bytes.length > 0)
    if (files.length === 0) return false
    const [, inode] = this.#random.pick(files)
    const altered = Buffer.from(inode.bytes)
    const at = this.#random.integer(altered.length)
    altered[at] = (altered[at] as number) ^ (1 << this.#random.integer(8))
    inode.bytes = altered
    inode.synced = altered
    return true
  }

  usedBytes(): number {
    let sum = 0
    for (const { bytes } of this.#entries.values()) sum += bytes.length
    return sum
  }

  /** Another disk with the same content, all of it durable: a backup, or a machine's image. */
  clone(random: Random): Disk {
    const disk = new Disk(random)
    for (const [path, { bytes }] of this.#entries) disk.#entries.set(path, { bytes, synced: bytes })
    for (const folder of this.#folders) disk.#folders.add(folder)
    disk.#durable = new Map(disk.#entries)
    return disk
  }

  /** Of bytes that were added and not synced, a beginning may be there. */
  #tear({ bytes, synced }: Inode): Buffer {
    const appended = bytes.length > synced.length && bytes.subarray(0, synced.length).equals(synced)
    if (!appended || this.#random.chance(0.5)) return synced
    return bytes.subarray(0, synced.length + this.#random.integer(bytes.length - synced.length + 1))
  }

  #change(change: (entries: Entries) => void): void {
    change(this.#entries)
    this.#journal.push(change)
  }
}

export function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
