import { execFileSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { posix } from 'node:path'

const DIRECTORY = 0o040755
const PROGRAM = 0o100755
const CONSOLE = 0o020600

/**
 * The first file system of a Linux that boots: a cpio archive of the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst
 * of Linux), uncompressed.
 */
export class Initramfs {
  readonly #parts: Buffer[] = []
  readonly #has = new Set<string>()
  #inode = 1

  constructor() {
    for (const folder of ['proc', 'sys', 'dev', 'tmp', 'run', 'var', 'etc']) this.addFolder(folder)
    // What the first program writes to.
    this.#entry('dev/console', CONSOLE, Buffer.alloc(0), [5, 1])
  }

  addFolder(path: string): void {
    const name = path.replace(/^\/+/, '')
    if (name === '' || name === '.' || this.#has.has(name)) return
    this.addFolder(posix.dirname(name))
    this.#has.add(name)
    this.#entry(name, DIRECTORY, Buffer.alloc(0))
  }

  addFile(path: string, bytes: Uint8Array): void {
    const name = path.replace(/^\/+/, '')
    if (this.#has.has(name)) return
    this.addFolder(posix.dirname(name))
    this.#has.add(name)
    this.#entry(name, PROGRAM, bytes)
  }

  /** A program of this machine, under the name by which it is called, with the libraries that it loads. */
  addProgram(path: string, name: string = path): void {
    this.addFile(name, readFileSync(path))
    const libraries = execFileSync('ldd', [realpathSync(path)], { encoding: 'utf8' })
    for (const [library] of libraries.matchAll(/\/[^\s)]+/g)) this.addFile(library, readFileSync(library))
  }

  build(): Buffer {
    this.#entry('TRAILER!!!', 0, Buffer.alloc(0))
    return Buffer.concat(this.#parts)
  }

  #entry(name: string, mode: number, bytes: Uint8Array, [major, minor]: readonly [number, number] = [0, 0]): void {
    const path = Buffer.from(`${name}\0`)
    const fields = [this.#inode++, mode, 0, 0, 1, 0, bytes.length, 0, 0, major, minor, path.length, 0]
    const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
    const filled = (length: number) => Buffer.alloc(-length & 3)
    this.#parts.push(head, path, filled(head.length + path.length), Buffer.from(bytes), filled(bytes.length))
  }
}
