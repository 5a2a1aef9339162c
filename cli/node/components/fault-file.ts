import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { type BlobHash, isBlobHash } from '../../../core/index.ts'
import type { ComponentFault } from '../../../edge/index.ts'
import { replaceFile } from '../../../replication/index.ts'

/** Of more components nobody has releases; the oldest is forgotten, and found out again where it is asked for. */
const MAX_FAULTS = 1000

const text = v.pipe(v.string(), v.maxLength(2000))
const fileSchema = v.object({
  version: v.literal(1),
  program: v.string(),
  faults: v.pipe(
    v.array(
      v.tuple([
        v.custom<BlobHash>((input) => typeof input === 'string' && isBlobHash(input)),
        v.object({
          code: v.custom<ComponentFault['code']>((input) => typeof input === 'string'),
          message: text,
          hint: text,
        }),
      ]),
    ),
    v.maxLength(MAX_FAULTS),
  ),
})

/**
 * Which components cannot be run, and why, so that what made a process fail is not tried at every start. What another version of
 * the program found is not believed: it may be a fault no more.
 */
export class FaultFile {
  readonly #path: string
  readonly #program: string
  readonly #faults: Map<BlobHash, ComponentFault>
  #saving: Promise<void> = Promise.resolve()

  private constructor(path: string, program: string, faults: Map<BlobHash, ComponentFault>) {
    this.#path = path
    this.#program = program
    this.#faults = faults
  }

  /** A file that cannot be read counts as empty. */
  static async open(path: string, program: string): Promise<FaultFile> {
    try {
      const file = v.parse(fileSchema, JSON.parse(await readFile(path, 'utf8')))
      return new FaultFile(path, program, new Map(file.program === program ? file.faults : []))
    } catch {
      return new FaultFile(path, program, new Map())
    }
  }

  get count(): number {
    return this.#faults.size
  }

  find(component: BlobHash): ComponentFault | undefined {
    return this.#faults.get(component)
  }

  /** Known from now on; resolves when it lies on the disk, and rejects where it cannot. */
  async add(component: BlobHash, fault: ComponentFault): Promise<void> {
    this.#faults.delete(component)
    this.#faults.set(component, fault)
    const [oldest] = this.#faults.keys()
    if (this.#faults.size > MAX_FAULTS && oldest !== undefined) this.#faults.delete(oldest)
    await this.#save()
  }

  /** The component is gone. */
  async forget(component: BlobHash): Promise<void> {
    if (this.#faults.delete(component)) await this.#save()
  }

  #save(): Promise<void> {
    const save = this.#saving.then(() =>
      replaceFile(this.#path, `${JSON.stringify({ version: 1, program: this.#program, faults: [...this.#faults] })}\n`),
    )
    this.#saving = save.catch(() => {})
    return save
  }
}
