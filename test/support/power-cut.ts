import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from './seeds.ts'

const SOURCE = join(import.meta.dirname, 'power-cut.c')
/** What a disk writes as one: a cut leaves each of them old or new. */
const PAGE_BYTES = 4096

export interface PowerCutOptions {
  /** Deliberate faults: these syncs then only pretend. */
  readonly ignore?: readonly ('files' | 'folders')[]
  /**
   * When a name is durable: with the fsync of its folder alone (`posix`, the harsher one), or also with the fsync of the
   * file, as ext4, XFS and btrfs do it (`linux`). Default posix.
   */
  readonly names?: 'posix' | 'linux'
}

/** Compiles the layer into a folder with the system's C compiler; the path of the library. */
export function compilePowerCut(folder: string): string {
  const library = join(folder, 'power-cut.so')
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, SOURCE, '-ldl', '-lpthread'])
  return library
}

/**
 * One disk that can lose its power: a folder, and beside it the record of what of it is durable (`power-cut.c` says what
 * that means). Programs that write to the folder have to be started with `env`, and to be dead when the power is cut.
 */
export class PowerCutDisk {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly #record: string

  /** What is in the folder now counts as durable. `folder` exists; `library` is that of `compilePowerCut`. */
  constructor(folder: string, library: string, options: PowerCutOptions = {}) {
    this.folder = folder
    this.#record = `${folder}.durable`
    this.env = {
      LD_PRELOAD: library,
      POWER_CUT_ROOT: folder,
      POWER_CUT_RECORD: this.#record,
      POWER_CUT_IGNORE: (options.ignore ?? []).join(),
      POWER_CUT_NAMES: options.names ?? 'posix',
      // Its file operations would pass by the layer.
      UV_USE_IO_URING: '0',
    }
    for (const name of ['f', 'd', 'pin']) mkdirSync(join(this.#record, name), { recursive: true })
    this.settle()
  }

  /** All that is in the folder is durable from now on, as after a clean shutdown of the machine. */
  settle(): void {
    const live = this.#collectLive(this.folder)
    // Numbers of folders that are gone are given to new ones.
    for (const inode of readdirSync(join(this.#record, 'd'))) {
      if (!live.has(inode)) rmSync(join(this.#record, 'd', inode))
    }
    // The layer itself records it: syncfs is asked for all, in a process without the deliberate faults.
    execFileSync('sync', ['-f', this.folder], { env: { ...process.env, ...this.env, POWER_CUT_IGNORE: '' } })
  }

  /**
   * Leaves in the folder what a power cut leaves. Without `random` nothing survives but what was made durable. With it,
   * what the system had in memory may have reached the disk or not: of each file any of its pages and any part of its new
   * end, of each folder all its new names or none.
   */
  cut(random?: Random): void {
    this.#restore(this.folder, inodeOf(this.folder), this.#collectLive(this.folder), random)
    this.settle()
  }

  /** Makes of a folder, in place, what is left of it. `live` knows where everything was at the moment of the cut. */
  #restore(folder: string, inode: string, live: ReadonlyMap<string, string>, random: Random | undefined): void {
    const now = listLive(folder)
    const origin = live.get(inode)
    const inMemory = origin === folder && random?.chance(0.3) === true
    const wanted = inMemory ? now : this.#durableNames(inode)
    const stays = new Set(wanted.map(({ name, inode }) => `${inode} ${name}`))
    for (const { name, inode, path } of now) {
      // What of it is durable in another place is in the record.
      if (!stays.has(`${inode} ${name}`)) rmSync(path, { recursive: true })
    }
    for (const entry of wanted) {
      const path = join(folder, entry.name)
      if (entry.kind === 'F') this.#restoreFile(path, entry.inode, random)
      else {
        if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
        this.#restore(path, entry.inode, live, random)
      }
    }
  }

  #restoreFile(path: string, inode: string, random: Random | undefined): void {
    const durable = join(this.#record, 'f', inode)
    const pinned = join(this.#record, 'pin', inode)
    const live = existsSync(path) && inodeOf(path) === inode
    if (live && isSame(path, durable)) return
    const source = live ? path : existsSync(pinned) ? pinned : undefined
    const kept = existsSync(durable) ? readFileSync(durable) : Buffer.alloc(0)
    const memory = source === undefined ? kept : readFileSync(source)
    if (live && memory.equals(kept)) return
    const bytes = random === undefined ? kept : tear(kept, memory, random)
    const mode = source === undefined ? 0o600 : statSync(source).mode & 0o777
    rmSync(path, { force: true })
    writeFileSync(path, bytes, { mode })
  }

  #durableNames(inode: string): Entry[] {
    const listing = join(this.#record, 'd', inode)
    if (!existsSync(listing)) return []
    const lines = readFileSync(listing, 'latin1').split('\0').filter(Boolean)
    return lines.map((line) => {
      const space = line.indexOf(' ')
      const name = Buffer.from(line.slice(space + 1), 'latin1').toString()
      return { kind: line[0] === 'D' ? 'D' : 'F', inode: line.slice(1, space), name }
    })
  }

  /** Where each folder is, by its number. */
  #collectLive(folder: string, live = new Map<string, string>()): Map<string, string> {
    live.set(inodeOf(folder), folder)
    for (const { kind, path } of listLive(folder)) if (kind === 'D') this.#collectLive(path, live)
    return live
  }
}

interface Entry {
  readonly kind: 'D' | 'F'
  readonly inode: string
  readonly name: string
}

function listLive(folder: string): (Entry & { readonly path: string })[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isFile() && !entry.isDirectory()) return []
    const path = join(folder, entry.name)
    return { name: entry.name, kind: entry.isDirectory() ? 'D' : 'F', inode: inodeOf(path), path }
  })
}

const inodeOf = (path: string): string => String(statSync(path).ino)

/** The record carries the time of what it records when nothing can have changed since. */
function isSame(path: string, recorded: string): boolean {
  const known = statSync(recorded, { bigint: true, throwIfNoEntry: false })
  const found = statSync(path, { bigint: true })
  return known !== undefined && known.mtimeNs === found.mtimeNs && known.size === found.size
}

/** What a disk may hold of a file that was `before` when it was last synced and `now` in memory. */
function tear(before: Buffer, now: Buffer, random: Random): Buffer {
  if (random.chance(0.3)) return before
  if (random.chance(0.3)) return now
  // A file that was cut shorter and not synced is the old one or the new one.
  if (now.length < before.length) return random.chance(0.5) ? before : now
  const length = before.length + random.integer(now.length - before.length + 1)
  const torn = Buffer.from(now.subarray(0, length))
  for (let at = 0; at < before.length; at += PAGE_BYTES) {
    if (random.chance(0.5)) before.copy(torn, at, at, Math.min(at + PAGE_BYTES, before.length))
  }
  return torn
}
