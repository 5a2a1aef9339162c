import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import {
  type BlobHash,
  type BlobReader,
  type Hostname,
  hashBlob,
  MakiError,
  Manifest,
  type OperationId,
  type Runtime,
} from '../../core/index.ts'
import { type Plan, respond, type Site, type SiteRequest, SiteTable } from '../../edge/index.ts'

/** Blobs in memory. */
export class MemoryBlobs implements BlobReader {
  readonly bytes = new Map<BlobHash, Uint8Array>()
  /** Streams given out and not yet closed. */
  open = 0

  add(content: string | Uint8Array): BlobHash {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const hash = hashBlob(bytes)
    this.bytes.set(hash, bytes)
    return hash
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    return this.bytes.get(hash)?.length
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    const bytes = this.bytes.get(hash)
    if (bytes === undefined) throw new MakiError('MAKI_BLOB_MISSING', `the blob ${hash} is missing`)
    return bytes
  }

  async stream(hash: BlobHash, range?: { start: number; end: number }): Promise<Readable> {
    const bytes = (await this.read(hash)).subarray(range?.start ?? 0, range?.end)
    let at = 0
    this.open++
    return new Readable({
      read(size) {
        const next = bytes.subarray(at, at + size)
        at += next.length
        this.push(next.length === 0 ? null : Buffer.from(next))
      },
      destroy: (error, done) => {
        this.open--
        done(error)
      },
    })
  }
}

export const releaseId = (letter: string): OperationId => `${letter.repeat(51)}a` as OperationId

/** A manifest of path -> content, with its blobs stored. */
export function buildManifest(blobs: MemoryBlobs, files: Readonly<Record<string, string | Uint8Array>>): Manifest {
  return Manifest.of(
    Object.entries(files).map(([path, content]) => {
      const hash = blobs.add(content)
      return { path, hash, sizeBytes: (blobs.bytes.get(hash) as Uint8Array).length }
    }),
  )
}

export function buildSite(manifest: Manifest | undefined, part: Partial<Site> = {}): Site {
  const domain = 'example.com' as Hostname
  const release = manifest === undefined ? undefined : { id: releaseId('b'), manifest }
  return { domain, hosts: [domain], spa: false, previews: true, redirect: undefined, release, published: true, ...part }
}

export function buildTable(...sites: Site[]): SiteTable {
  return SiteTable.empty.with(new Map(sites.map((site) => [site.domain, site])))
}

export interface Asked extends Partial<Pick<SiteRequest, 'method' | 'target' | 'secure' | 'content'>> {
  readonly host?: string | undefined
  /** Names in lower case. */
  readonly fields?: Readonly<Record<string, string>>
  readonly address?: string
  readonly country?: string
}

/** A request as a server would hand it on; `GET http://example.com/` unless it says otherwise. */
export function siteRequest(asked: Asked = {}): SiteRequest {
  const { fields = {}, address = '192.0.2.1', country } = asked
  return {
    method: asked.method ?? 'GET',
    target: asked.target ?? '/',
    host: 'host' in asked ? asked.host : 'example.com',
    secure: asked.secure ?? false,
    field: (name) => fields[name],
    client: () => ({ address, country }),
    fields: () => Object.entries(fields),
    content: asked.content,
  }
}

/** An answer for which nothing has to be learnt; no other release has what this one lacks. */
export function decide(request: SiteRequest, table: SiteTable, options: Parameters<typeof respond>[3]): Plan {
  const decided = respond(request, table, { asset: null }, options)
  if ('kind' in decided) throw new Error(`nothing should have to be learnt, and ${decided.kind} has`)
  return decided
}

/** Time that stands still until it is advanced; timers fire in order. */
export class FakeRuntime implements Runtime {
  #now = 0
  readonly #timers = new Set<{ at: number; call: () => void }>()

  now = (): number => this.#now
  monotonic = (): number => this.#now
  random = (): number => 0.5
  randomBytes = (length: number): Uint8Array => new Uint8Array(length)

  after = (delayMs: number, call: () => void): (() => void) => {
    const timer = { at: this.#now + delayMs, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  get pending(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = next.at
      next.call()
    }
    this.#now = end
  }
}

/** Sends bytes on a fresh connection and gives all that comes back until the server closes it. */
export async function sendRaw(where: { port: number } | { path: string }, bytes: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', ...where })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.write(Buffer.from(bytes, 'latin1'))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}
