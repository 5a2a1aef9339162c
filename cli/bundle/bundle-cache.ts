import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import * as v from 'valibot'
import type { Runtime } from '../../core/index.ts'
import { type Environment, writeFileAtomically } from '../config/index.ts'
import type { Bundle, BundleArch } from './bundle.ts'

const record = v.object({ file: v.string(), version: v.string(), sha256: v.string(), sizeBytes: v.number() })
const RECORD = 'made.json'
/** Of other versions, of the other processor, and of other states of a checkout. */
const KEPT = 3
/** No bundle is made for so long: who made it is gone. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

/** Where bundles are kept: `$XDG_CACHE_HOME/makiatto/bundles`. */
export function bundleFolder({ XDG_CACHE_HOME: cache = '', HOME: home = '' }: Environment): string {
  const base = isAbsolute(cache) ? cache : join(isAbsolute(home) ? home : homedir(), '.cache')
  return join(base, 'makiatto', 'bundles')
}

/** A bundle, and the key to find it by. */
export interface MadeBundle {
  readonly key: string
  readonly bundle: Bundle
}

/**
 * Bundles that were made on this computer, a folder each: the archive, and `made.json` with what it was when it was made. Several
 * programs may use and fill it at once, and end at any moment: a bundle is there whole or not at all.
 */
export class BundleCache {
  readonly #folder: string
  readonly #runtime: Pick<Runtime, 'randomBytes'>

  constructor(folder: string, runtime: Pick<Runtime, 'randomBytes'>) {
    this.#folder = folder
    this.#runtime = runtime
  }

  /** Undefined where none is kept under the key, or it is not, byte for byte, what was made. */
  async find(key: string, arch: BundleArch): Promise<Bundle | undefined> {
    const folder = this.#folderOf(key, arch)
    try {
      const made = v.parse(record, JSON.parse(await readFile(join(folder, RECORD), 'utf8')))
      if (made.file.includes('/')) return undefined
      const file = join(folder, made.file)
      const hash = createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
      if (hash !== made.sha256) return undefined
      return { file, arch, version: made.version, sha256: made.sha256, sizeBytes: made.sizeBytes }
    } catch {
      return undefined
    }
  }

  /**
   * Keeps what `make` makes in the folder that it is given, which is empty and nobody else's, under the key that it says then.
   * Where another program has kept one under the key meanwhile, that one is given: it may be on its way to a server already.
   */
  async keep(arch: BundleArch, make: (folder: string) => Promise<MadeBundle>): Promise<Bundle> {
    const draft = join(this.#folder, `.${Buffer.from(this.#runtime.randomBytes(6)).toString('hex')}`)
    try {
      await mkdir(draft, { recursive: true })
      await this.#sweepDrafts(draft)
      const { key, bundle } = await make(draft)
      const { file, version, sha256, sizeBytes } = bundle
      const text = `${JSON.stringify({ file: file.slice(draft.length + 1), version, sha256, sizeBytes })}\n`
      await writeFileAtomically(join(draft, RECORD), text, { mode: 0o644, runtime: this.#runtime })
      const kept = await this.#putInPlace(draft, key, arch)
      await this.#sweep(key, arch)
      return kept
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }

  async #putInPlace(draft: string, key: string, arch: BundleArch): Promise<Bundle> {
    const folder = this.#folderOf(key, arch)
    for (;;) {
      try {
        await rename(draft, folder)
      } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException
        if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw thrown
      }
      const found = await this.find(key, arch)
      if (found !== undefined) return found
      // What lies there is damaged; moved away in one step, since another program may do the same at the same time.
      const aside = `${draft}-damaged`
      await rename(folder, aside).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      await rm(aside, { recursive: true, force: true })
    }
  }

  #folderOf(key: string, arch: BundleArch): string {
    return join(this.#folder, `${key.slice(0, 16)}-${arch}`)
  }

  async #sweep(key: string, arch: BundleArch): Promise<void> {
    const current = this.#folderOf(key, arch)
    const old = (await this.#list((name) => !name.startsWith('.'))).filter(({ path }) => path !== current)
    for (const { path } of old.sort((a, b) => b.changedMs - a.changedMs).slice(KEPT))
      await rm(path, { recursive: true, force: true })
  }

  /** Those of programs that were killed: by the clock of the disk, which wrote `draft` now. */
  async #sweepDrafts(draft: string): Promise<void> {
    const { mtimeMs } = await stat(draft)
    for (const { path, changedMs } of await this.#list((name) => name.startsWith('.')))
      if (mtimeMs - changedMs > ABANDONED_MS) await rm(path, { recursive: true, force: true })
  }

  async #list(isWanted: (name: string) => boolean): Promise<{ path: string; changedMs: number }[]> {
    const paths = (await readdir(this.#folder)).filter(isWanted).map((name) => join(this.#folder, name))
    const listed = await Promise.all(
      // Another program may sweep, too.
      paths.map(async (path) => ({ path, changedMs: (await stat(path).catch(() => undefined))?.mtimeMs })),
    )
    return listed.flatMap(({ path, changedMs }) => (changedMs === undefined ? [] : [{ path, changedMs }]))
  }
}
