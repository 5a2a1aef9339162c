import { failure, type Inode } from './disk.ts'
import { findProcess, type ProcessLife } from './process-life.ts'

/** How long the disk takes, milliseconds: a read or write in its cache, and a sync. */
const TOUCH_MS = [0.02, 0.1] as const
const SYNC_MS = [0.5, 8] as const

/** Does something with the disk of the process that the path belongs to, in virtual time; for ever, when that dies meanwhile. */
function perform<T>(life: ProcessLife, [fromMs, toMs]: readonly [number, number], act: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const { random } = life.scheduler
    life.after(fromMs + random.next() * (toMs - fromMs), () => {
      try {
        const result = act()
        // The act may have been the process's last.
        if (life.alive) resolve(result)
      } catch (error) {
        reject(error)
      }
    })
  })
}

const locate = (path: unknown) => findProcess(String(path)) as { life: ProcessLife; path: string }

function openInode({ life, path }: { life: ProcessLife; path: string }, flags: string): Inode | 'folder' {
  const { disk } = life
  const known = disk.find(path)
  if (flags === 'r' && known === undefined && (path === '' || disk.isFolder(path))) return 'folder'
  if (known === undefined && flags.startsWith('r')) throw failure('ENOENT', `no such file: ${path}`)
  if (known !== undefined && flags.includes('x')) throw failure('EEXIST', `there is one: ${path}`)
  if (known !== undefined && flags.startsWith('w')) disk.truncate(known)
  return known ?? disk.create(path)
}

/** What `node:fs/promises` hands out for a file, as far as the product uses it. */
class VirtualHandle implements AsyncDisposable {
  readonly #life: ProcessLife
  readonly #inode: Inode | 'folder'
  #position = 0

  constructor(life: ProcessLife, inode: Inode | 'folder') {
    this.#life = life
    this.#inode = inode
  }

  get #file(): Inode {
    if (this.#inode === 'folder') throw failure('EISDIR', 'it is a folder')
    return this.#inode
  }

  write(bytes: Uint8Array | string): Promise<{ bytesWritten: number }> {
    return perform(this.#life, TOUCH_MS, () => {
      const buffer = Buffer.from(bytes as Uint8Array)
      this.#life.disk.write(this.#file, buffer)
      return { bytesWritten: buffer.length }
    })
  }

  async writev(parts: readonly Uint8Array[]): Promise<void> {
    await this.write(Buffer.concat(parts))
  }

  async writeFile(bytes: Uint8Array | string): Promise<void> {
    await this.write(bytes)
  }

  async appendFile(bytes: Uint8Array | string): Promise<void> {
    await this.write(bytes)
  }

  async readFile(encoding?: BufferEncoding | { encoding: BufferEncoding }): Promise<Buffer | string> {
    return await perform(this.#life, TOUCH_MS, () => decoded(this.#file.bytes, encoding))
  }

  async read(
    buffer: Uint8Array,
    offset = 0,
    length = buffer.length - offset,
    position: number | null = null,
  ): Promise<{ bytesRead: number; buffer: Uint8Array }> {
    return await perform(this.#life, TOUCH_MS, () => {
      const from = position ?? this.#position
      const part = this.#file.bytes.subarray(from, from + length)
      buffer.set(part, offset)
      if (position === null) this.#position += part.length
      return { bytesRead: part.length, buffer }
    })
  }

  async stat(): Promise<object> {
    return await perform(this.#life, TOUCH_MS, () => describe(this.#inode))
  }

  async truncate(length = 0): Promise<void> {
    await perform(this.#life, TOUCH_MS, () => {
      this.#file.bytes = this.#file.bytes.subarray(0, length)
    })
  }

  sync(): Promise<void> {
    return perform(this.#life, SYNC_MS, () => {
      if (this.#inode === 'folder') this.#life.disk.syncFolder()
      else this.#life.disk.syncFile(this.#inode)
    })
  }

  datasync(): Promise<void> {
    return this.sync()
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** `node:fs/promises` for paths below the virtual root. */
export const virtualPromises = {
  async open(path: unknown, flags = 'r'): Promise<VirtualHandle> {
    const where = locate(path)
    return await perform(where.life, TOUCH_MS, () => new VirtualHandle(where.life, openInode(where, flags)))
  },
  async readFile(path: unknown, encoding?: BufferEncoding | { encoding: BufferEncoding }): Promise<Buffer | string> {
    const where = locate(path)
    return await perform(where.life, TOUCH_MS, () => {
      const inode = where.life.disk.find(where.path)
      if (inode === undefined) throw failure('ENOENT', `no such file: ${where.path}`)
      return decoded(inode.bytes, encoding)
    })
  },
  async writeFile(path: unknown, bytes: Uint8Array | string, options?: { flush?: boolean }): Promise<void> {
    const handle = await virtualPromises.open(path, 'w')
    await handle.write(bytes)
    if (options?.flush === true) await handle.sync()
  },
  async appendFile(path: unknown, bytes: Uint8Array | string, options?: { flush?: boolean }): Promise<void> {
    const handle = await virtualPromises.open(path, 'a')
    await handle.write(bytes)
    if (options?.flush === true) await handle.sync()
  },
  async rename(from: unknown, to: unknown): Promise<void> {
    const { life, path } = locate(from)
    await perform(life, TOUCH_MS, () => life.disk.rename(path, locate(to).path))
  },
  async rm(path: unknown, options?: { force?: boolean; recursive?: boolean }): Promise<void> {
    const where = locate(path)
    await perform(where.life, TOUCH_MS, () => {
      if (!where.life.disk.remove(where.path) && options?.force !== true)
        throw failure('ENOENT', `no such file: ${where.path}`)
    })
  },
  async unlink(path: unknown): Promise<void> {
    await virtualPromises.rm(path)
  },
  async mkdir(path: unknown): Promise<void> {
    const { life, path: folder } = locate(path)
    await perform(life, TOUCH_MS, () => life.disk.makeFolder(folder))
  },
  async readdir(path: unknown): Promise<string[]> {
    const { life, path: folder } = locate(path)
    return await perform(life, TOUCH_MS, () => {
      if (!life.disk.isFolder(folder)) throw failure('ENOENT', `no such folder: ${folder}`)
      return life.disk.list(folder)
    })
  },
  async stat(path: unknown): Promise<object> {
    const { life, path: name } = locate(path)
    return await perform(life, TOUCH_MS, () => {
      const inode = life.disk.find(name) ?? (life.disk.isFolder(name) ? 'folder' : undefined)
      if (inode === undefined) throw failure('ENOENT', `no such file: ${name}`)
      return describe(inode)
    })
  },
  async access(path: unknown): Promise<void> {
    await virtualPromises.stat(path)
  },
  async cp(from: unknown, to: unknown): Promise<void> {
    const { life, path } = locate(from)
    await perform(life, TOUCH_MS, () => life.disk.copy(path, locate(to).path))
  },
}

/** Descriptors of virtual files lie above all that the system gives. */
const FIRST_DESCRIPTOR = 1_000_000_000
const descriptors = new Map<number, { life: ProcessLife; inode: Inode | 'folder' }>()
let nextDescriptor = FIRST_DESCRIPTOR

export const isVirtualDescriptor = (descriptor: unknown): boolean => Number(descriptor) >= FIRST_DESCRIPTOR

/** The calls of `node:fs` that do not wait, for paths below the virtual root. A process that is dead does nothing. */
export const virtualSync = {
  openSync(path: unknown, flags = 'r'): number {
    const where = locate(path)
    descriptors.set(nextDescriptor, { life: where.life, inode: openInode(where, flags) })
    return nextDescriptor++
  },
  readSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    const { inode } = held(descriptor)
    const part = inode.bytes.subarray(position, position + length)
    buffer.set(part, offset)
    return part.length
  },
  writeSync(descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { life, inode } = held(descriptor)
    if (life.alive) life.disk.write(inode, bytes.subarray(offset, offset + length), position)
    return length
  },
  fsyncSync(descriptor: number): void {
    const { life, inode } = held(descriptor)
    if (life.alive) life.disk.syncFile(inode)
  },
  fsync(descriptor: number, done: (error: Error | null) => void): void {
    const open = descriptors.get(descriptor)
    if (open === undefined) throw failure('EBADF', 'the descriptor is closed')
    const { life, inode } = open
    perform(life, SYNC_MS, () => (inode === 'folder' ? life.disk.syncFolder() : life.disk.syncFile(inode))).then(
      () => done(null),
      done,
    )
  },
  closeSync(descriptor: number): void {
    descriptors.delete(descriptor)
  },
}

function held(descriptor: number): { life: ProcessLife; inode: Inode } {
  const open = descriptors.get(descriptor)
  if (open === undefined) throw failure('EBADF', 'the descriptor is closed')
  if (open.inode === 'folder') throw failure('EISDIR', 'it is a folder')
  return { life: open.life, inode: open.inode }
}

function describe(inode: Inode | 'folder'): object {
  const isFolder = inode === 'folder'
  return { size: isFolder ? 0 : inode.bytes.length, isFile: () => !isFolder, isDirectory: () => isFolder }
}

function decoded(bytes: Buffer, encoding?: BufferEncoding | { encoding: BufferEncoding }): Buffer | string {
  const name = typeof encoding === 'string' ? encoding : encoding?.encoding
  return name === undefined ? Buffer.from(bytes) : bytes.toString(name)
}
