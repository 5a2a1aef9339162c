import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as v from 'valibot'
import { MakiError } from '../../core/index.ts'
import { readSnapshot, snapshot, writeSnapshot } from './snapshot.ts'

/** One thing that was changed on a server, with what is needed to put it back. Plain data: it outlives the program. */
export const undoRecord = v.variant('kind', [
  /** A file or symbolic link. `after`: digests of what we put there; `owned`: the path is ours whatever lies there. */
  v.object({
    kind: v.literal('path'),
    path: v.string(),
    before: snapshot,
    after: v.array(v.string()),
    owned: v.boolean(),
  }),
  /** A folder that was made. `owned`: goes with all that is in it; else only when it is empty. */
  v.object({ kind: v.literal('folder'), path: v.string(), owned: v.boolean() }),
  /** The system user and group. */
  v.object({ kind: v.literal('account') }),
  v.object({ kind: v.literal('sysctl'), name: v.string(), before: v.string() }),
  /** systemd has to read its units again. */
  v.object({ kind: v.literal('reload') }),
  /** systemd-resolved has to be started again. */
  v.object({ kind: v.literal('resolver') }),
  /** The service was enabled or started. */
  v.object({ kind: v.literal('service') }),
])
export type UndoRecord = v.InferOutput<typeof undoRecord>

const journalFile = v.object({
  /** `installing`: a run that was cut has left it; what is there may be half of it. */
  state: v.picklist(['installing', 'installed']),
  records: v.array(undoRecord),
})
type JournalFile = v.InferOutput<typeof journalFile>

/** Two records of one key are about the same thing: the first knows what was there before. */
const keyOf = (record: UndoRecord): string =>
  `${record.kind} ${'path' in record ? record.path : 'name' in record ? record.name : ''}`

/**
 * What was changed on this server, in order. A record is on the disk before the change that it undoes is made, so that a
 * power cut at any moment leaves nothing that nobody knows of.
 */
export class Journal {
  readonly #path: string
  #content: JournalFile
  #isThere: boolean

  private constructor(path: string, content: JournalFile | undefined) {
    this.#path = path
    this.#content = content ?? { state: 'installing', records: [] }
    this.#isThere = content !== undefined
  }

  /** Throws MAKI_STORE_DAMAGED for one that cannot be read. */
  static async open(path: string): Promise<Journal> {
    const found = await readSnapshot(path)
    if (found.is === 'absent') return new Journal(path, undefined)
    const text = found.is === 'file' ? Buffer.from(found.content, 'base64').toString('utf8') : ''
    const read = v.safeParse(journalFile, parseJson(text))
    if (read.success) return new Journal(path, read.output)
    throw new MakiError(
      'MAKI_STORE_DAMAGED',
      `${path} is damaged: what was changed on this server is not known any more`,
      {
        hint: `Move it away, then: maki machine remove. That takes away what is surely Makiatto’s.`,
      },
    )
  }

  /** False where this server was never set up. */
  get isThere(): boolean {
    return this.#isThere
  }

  get isInstalled(): boolean {
    return this.#isThere && this.#content.state === 'installed'
  }

  get records(): readonly UndoRecord[] {
    return this.#content.records
  }

  has(record: UndoRecord): boolean {
    return this.records.some((one) => keyOf(one) === keyOf(record))
  }

  /** Notes what is about to be changed, unless it is noted; further digests of a path are added. Durable when it resolves. */
  async record(record: UndoRecord): Promise<void> {
    const key = keyOf(record)
    const known = this.records.find((one) => keyOf(one) === key)
    if (known === undefined) return await this.#write({ ...this.#content, records: [...this.records, record] })
    if (known.kind !== 'path' || record.kind !== 'path') return
    const after = [...new Set([...known.after, ...record.after])]
    if (after.length === known.after.length) return
    const merged: UndoRecord = { ...known, after }
    await this.#write({ ...this.#content, records: this.records.map((one) => (one === known ? merged : one)) })
  }

  async finish(): Promise<void> {
    if (!this.isInstalled) await this.#write({ ...this.#content, state: 'installed' })
  }

  /** Takes the last record away, which has been undone. */
  async drop(): Promise<void> {
    await this.#write({ ...this.#content, records: this.records.slice(0, -1) })
  }

  /** Nothing is left to be undone. */
  async remove(): Promise<void> {
    await writeSnapshot(this.#path, { is: 'absent' })
    this.#isThere = false
    this.#content = { state: 'installing', records: [] }
  }

  async #write(content: JournalFile): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true })
    const text = Buffer.from(`${JSON.stringify(content, undefined, 1)}\n`).toString('base64')
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    await writeSnapshot(this.#path, { is: 'file', mode: 0o600, uid, gid, content: text })
    this.#content = content
    this.#isThere = true
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
