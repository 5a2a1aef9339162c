import { hashBlob, Manifest } from '../../core/index.ts'
import type { Answered, GuestChannel, Told, WasiPorts } from '../../edge/guest-host/wasi-ports.ts'
import type { Answer, Ask } from '../../edge/guests/index.ts'

/** What answers an ask: undefined leaves it to the next. */
export type Answerer = (ask: Exclude<Ask, Told>, body: Uint8Array) => FakeAnswer | undefined

export type FakeAnswer = Answer | (Answer & { readonly bytes: Uint8Array })

/**
 * The owner of a guest in the process of a test: answers about files out of a table, lets time go by when it is waited, and asks
 * `answer` about everything else. Remembers what it was asked.
 */
export class FakeOwner implements GuestChannel {
  readonly asks: Exclude<Ask, Told>[] = []
  readonly bodies: Uint8Array[] = []
  readonly printed: { stream: string; text: string }[] = []
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly manifest: Manifest
  answer: Answerer
  /** Names in one page of a folder. */
  pageNames = 3
  nowMs = 1_700_000_000_000.25
  monotonicMs = 5000

  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}, answer: Answerer = () => undefined) {
    this.files = new Map(
      Object.entries(files).map(([path, content]) => [
        path,
        typeof content === 'string' ? new TextEncoder().encode(content) : content,
      ]),
    )
    this.manifest = Manifest.of(
      [...this.files].map(([path, bytes]) => ({ path, hash: hashBlob(bytes), sizeBytes: bytes.length })),
    )
    this.answer = answer
  }

  get ports(): WasiPorts {
    return {
      channel: this,
      runtime: {
        now: () => this.nowMs,
        monotonic: () => this.monotonicMs,
        randomBytes: (length) => new Uint8Array(length).fill(7),
      },
      env: { GREETING: 'hello' },
      siteTimeMs: 1_600_000_000_123,
    }
  }

  ask(ask: Exclude<Ask, Told>, body: Uint8Array = new Uint8Array(0)): Answered {
    this.asks.push(ask)
    this.bodies.push(body)
    const { bytes, ...header } = { bytes: new Uint8Array(0), ...(this.answer(ask, body) ?? this.#usual(ask)) }
    return { header: JSON.parse(JSON.stringify(header)), body: bytes }
  }

  tell({ stream }: Told, body: Uint8Array): void {
    this.printed.push({ stream, text: Buffer.from(body).toString() })
  }

  #usual(ask: Exclude<Ask, Told>): FakeAnswer {
    switch (ask.ask) {
      case 'stat': {
        const file = this.manifest.find(ask.path)
        if (file !== undefined) return { type: 'file', sizeBytes: file.sizeBytes, hash: file.hash }
        return this.manifest.hasFolder(ask.path) ? { type: 'folder' } : this.#missing(ask.path)
      }
      case 'list':
        return this.manifest.list(ask.path, ask.after, this.pageNames)
      case 'read': {
        const bytes = this.files.get(ask.path)
        if (bytes === undefined) return { error: 'no-entry' }
        const end = Math.min(ask.offset + ask.length, bytes.length)
        return { ended: end === bytes.length, bytes: bytes.slice(ask.offset, end) }
      }
      case 'wait':
        this.monotonicMs += ask.mostMs
        return { ready: [] }
      case 'close':
        return { done: true }
      default:
        return { error: 'access-denied' }
    }
  }

  #missing(path: string): FakeAnswer {
    const parents = path.split('/').map((_, i, all) => all.slice(0, i).join('/'))
    return { error: parents.some((parent) => this.files.has(parent)) ? 'not-directory' : 'no-entry' }
  }
}
