import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
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
    this.settle()
  }

  /** All that is in the folder is durable from now on, as after a clean shutdown of the machine. */
  settle(): void {
    rmSync(this.#record, { recursive: true, force: true })
    for (const name of ['f', 'd', 'pin']) mkdirSync(join(this.#record, name), { recursive: true })
    const recordFolder = (folder: string): void => {
      const entries: string[] = []
      for (const { name, kind, inode, path } of listLive(folder)) {
        entries.push(`${kind}${inode} ${name}\0`)
        if (kind === 'D') recordFolder(path)
        else {
          cpSync(path, join(this.#record, 'f', inode))
          linkSync(path, join(this.#record, 'pin', inode))
        }
      }
      writeFileSync(join(this.#record, 'd', String(statSync(folder).ino)), entries.join(''), 'latin1')
    }
    recordFolder(this.folder)
  }

  /**
   * Leaves in the folder what a power cut leaves. Without `random` nothing survives but what was made durable. With it,
   * what the system had in memory may have reached the disk or not: of each file any of its pages and any part of its new
   * end, of each folder all its new names or none.
   */
  cut(random?: Random): void {
    const after = `${this.folder}.after`
    rmSync(after, { recursive: true, force: true })
    const live = new Map<string, string>()
    collectLive(this.folder, live)
    this.#rebuild(String(statSync(this.folder).ino), this.folder, after, live, random)
    chmodSync(after, statSync(this.folder).mode)
    rmSync(this.folder, { recursive: true })
    renameSync(after, this.folder)
    this.settle()
  }

  #rebuild(inode: string, now: string | undefined, to: string, live: Map<string, string>, random?: Random): void {
    mkdirSync(to, { mode: 0o700 })
    const names = now !== undefined && random?.chance(0.3) === true ? listLive(now) : this.#durableNames(inode)
    for (const entry of names) {
      const path = join(to, entry.name)
      const there = live.get(entry.inode)
      if (entry.kind === 'D') this.#rebuild(entry.inode, there, path, live, random)
      else {
        const durable = join(this.#record, 'f', entry.inode)
        const kept = existsSync(durable) ? readFileSync(durable) : Buffer.alloc(0)
        const pinned = join(this.#record, 'pin', entry.inode)
        const source = there ?? (existsSync(pinned) ? pinned : undefined)
        const bytes = random === undefined || source === undefined ? kept : tear(kept, readFileSync(source), random)
        writeFileSync(path, bytes, { mode: source === undefined ? 0o600 : statSync(source).mode & 0o777 })
      }
    }
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
    return { name: entry.name, kind: entry.isDirectory() ? 'D' : 'F', inode: String(statSync(path).ino), path }
  })
}

function collectLive(folder: string, live: Map<string, string>): void {
  for (const { kind, inode, path } of listLive(folder)) {
    live.set(inode, path)
    if (kind === 'D') collectLive(path, live)
  }
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
