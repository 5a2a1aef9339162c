import { createHash } from 'node:crypto'
import { type BlobHash, Emitter, parseBlobHash } from '../../../../core/index.ts'
import type { BuildJob, Built, ComponentReport, PreparedFiles } from '../../../../edge/index.ts'
import type { BlobEvents } from '../../../../replication/index.ts'

export const REPORT: ComponentReport = {
  world: 'http',
  sizeBytes: 1,
  imports: [],
  otherExports: [],
  coreModules: 2,
  coreInstances: 2,
  initialMemoryBytes: 65_536,
  largestMemoryBytes: 65_536,
}

export const hashOf = (text: string): BlobHash => parseBlobHash(createHash('sha256').update(text).digest('hex'))

/** Glue and two modules that tell which component they are of. */
export const filesOf = (text: string, sizeBytes = 100): PreparedFiles => ({
  glue: Buffer.from(`// ${text}\n`.padEnd(sizeBytes)),
  modules: new Map([
    ['glue.core.wasm', Buffer.from(`one ${text}`)],
    ['glue.core2.wasm', Buffer.from(`two ${text}`)],
  ]),
})

/** Blobs of a node that are texts. */
export class FakeBlobs {
  readonly events = new Emitter<BlobEvents>()
  readonly here = new Map<BlobHash, string>()
  short = false

  put(text: string): BlobHash {
    this.here.set(hashOf(text), text)
    return hashOf(text)
  }

  remove(hash: BlobHash): void {
    this.here.delete(hash)
    this.events.emit('removed', { hash })
  }

  size = async (hash: BlobHash): Promise<number | undefined> => this.here.get(hash)?.length
  missing = async (hashes: readonly BlobHash[]): Promise<BlobHash[]> => hashes.filter((hash) => !this.here.has(hash))
  isShort = async (): Promise<boolean> => this.short
  read = async (hash: BlobHash): Promise<Uint8Array> => {
    const text = this.here.get(hash)
    if (text === undefined) throw new Error('it is not here')
    return Buffer.from(text)
  }
}

/** Builds at once, or as the test says. */
export class FakeBuilder implements AsyncDisposable {
  readonly counts = { started: 0, seconds: 0 }
  /** What was built, in order. */
  readonly built: string[] = []
  how: (text: string) => Promise<Built> = async (text) => ({ kind: 'ready', report: REPORT, files: filesOf(text) })

  readonly hurried: BlobHash[] = []

  hurry(component: BlobHash): void {
    this.hurried.push(component)
  }

  async build({ read }: BuildJob): Promise<Built> {
    const text = Buffer.from(await read()).toString()
    this.built.push(text)
    return await this.how(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
