import { createWriteStream } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as v from 'valibot'
import type { Cancel, Log, Runtime } from '../../core/index.ts'
import { GeoDatabase } from '../../dns/index.ts'
import { writeFileAtomically } from '../config/index.ts'
import { limitBytes, unpackDatabase } from './geo-unpack.ts'

const DAY_MS = 86_400_000
const FIRST_RETRY_MS = 60_000
const LAST_RETRY_MS = 6 * 3_600_000
/** A timer is set for no longer: the wall clock decides when a fetch is due, and Node's timers end at 24 days. */
const LOOK_AGAIN_MS = 3_600_000
/** Of every delay so much is left to chance, so that the nodes of a cluster do not all ask at once. */
const JITTER = 0.1
const FETCH_MS = 30 * 60_000
const FILE_MODE = 0o640

const memorySchema = v.object({
  url: v.string(),
  fetchedAtMs: v.number(),
  etag: v.nullable(v.string()),
  lastModified: v.nullable(v.string()),
})

/** What is remembered of the last fetch, beside the file. */
type Memory = v.InferOutput<typeof memorySchema>

/** What a mirror is kept with. */
export interface GeoMirrorOptions {
  /** `http:` or `https:`; a name and password in it are sent to that server alone and written nowhere. */
  readonly url: string
  readonly refreshDays: number
  /** Where the database is to be. */
  readonly file: string
  readonly runtime: Runtime
  readonly log: Log
  /** The file was replaced. */
  readonly onFetched: () => void
}

/**
 * Keeps a database of places as new as its mirror's: asks every `refreshDays`, and only for what has changed. What comes is
 * tried before it takes the place of what is there; a mirror that fails is asked again after a minute, then ever later.
 */
export class GeoMirror implements AsyncDisposable {
  readonly #options: GeoMirrorOptions
  readonly #abort = new AbortController()
  #memory: Memory | undefined
  #failures = 0
  #cancel: Cancel = () => {}
  #fetching: Promise<void> | undefined

  private constructor(options: GeoMirrorOptions) {
    this.#options = options
  }

  /** Fetches in the background when it is due, and from then on. */
  static async start(options: GeoMirrorOptions): Promise<GeoMirror> {
    const mirror = new GeoMirror(options)
    mirror.#memory = await mirror.#recall()
    mirror.#schedule()
    return mirror
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel()
    this.#abort.abort()
    await this.#fetching
  }

  #schedule(retryMs?: number): void {
    if (this.#abort.signal.aborted) return
    const { runtime, refreshDays } = this.#options
    const dueInMs = retryMs ?? (this.#memory?.fetchedAtMs ?? 0) + refreshDays * DAY_MS - runtime.now()
    const isFar = dueInMs > LOOK_AGAIN_MS
    const delayMs = isFar ? LOOK_AGAIN_MS : Math.max(0, dueInMs)
    this.#cancel = runtime.after(delayMs * (1 + runtime.random() * JITTER), () => {
      if (isFar) this.#schedule(retryMs === undefined ? undefined : dueInMs - LOOK_AGAIN_MS)
      else this.#fetching = this.#refresh()
    })
  }

  async #refresh(): Promise<void> {
    const { log, runtime } = this.#options
    const url = withoutSecrets(this.#options.url)
    log.debug('geo.mirror-asking', { url })
    try {
      const what = await this.#fetch()
      this.#failures = 0
      log.info('geo.mirror-asked', { url, what })
      if (what === 'new') this.#options.onFetched()
      this.#schedule()
    } catch (error) {
      if (this.#abort.signal.aborted) return
      const retryMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++)
      log.warn('geo.mirror-failed', { url, error, retryMs })
      this.#schedule(retryMs * (1 - runtime.random() * JITTER))
    }
  }

  async #fetch(): Promise<'new' | 'unchanged'> {
    const { url, file, runtime } = this.#options
    const slow = new AbortController()
    const cancel = runtime.after(FETCH_MS, () => slow.abort(new Error('the mirror is too slow')))
    const fetched = `${file}.new`
    try {
      const signal = AbortSignal.any([slow.signal, this.#abort.signal])
      const memory = this.#memory
      const response = await fetch(withoutUser(url), { signal, headers: headersFor(url, memory) })
      if (response.status === 304 && memory !== undefined) {
        await this.#remember({ ...memory, fetchedAtMs: runtime.now() })
        return 'unchanged'
      }
      if (!response.ok || response.body === null) {
        await response.body?.cancel()
        throw new Error(`the mirror answered ${response.status}`)
      }
      await mkdir(dirname(file), { recursive: true, mode: 0o750 })
      await pipeline(Readable.fromWeb(response.body), limitBytes(), createWriteStream(fetched, { mode: FILE_MODE }), {
        signal,
      })
      await unpackDatabase(fetched)
      await GeoDatabase.open(fetched)
      await replace(file, fetched)
      await this.#remember({
        url: withoutSecrets(url),
        fetchedAtMs: runtime.now(),
        etag: response.headers.get('etag'),
        lastModified: response.headers.get('last-modified'),
      })
      return 'new'
    } finally {
      cancel()
      await rm(fetched, { force: true })
    }
  }

  /** Nothing where the file is gone or came from elsewhere: then it is fetched as a whole, and now. */
  async #recall(): Promise<Memory | undefined> {
    const { file, url, runtime } = this.#options
    try {
      const memory = v.parse(memorySchema, JSON.parse(await readFile(memoryOf(file), 'utf8')))
      const isOurs = memory.url === withoutSecrets(url) && memory.fetchedAtMs <= runtime.now()
      return isOurs && (await canOpen(file)) ? memory : undefined
    } catch {
      return undefined
    }
  }

  async #remember(memory: Memory): Promise<void> {
    this.#memory = memory
    const { file, runtime } = this.#options
    await writeFileAtomically(memoryOf(file), `${JSON.stringify(memory)}\n`, { mode: FILE_MODE, runtime })
  }
}

const memoryOf = (file: string): string => join(dirname(file), 'mirror.json')

const canOpen = (file: string): Promise<boolean> =>
  GeoDatabase.open(file).then(
    () => true,
    () => false,
  )

/** In one step, also for a power cut. */
async function replace(file: string, by: string): Promise<void> {
  for (const [path, step] of [
    [by, () => rename(by, file)],
    [dirname(file), async () => {}],
  ] as const) {
    await using handle = await open(path)
    await handle.sync()
    await step()
  }
}

function headersFor(url: string, memory: Memory | undefined): Record<string, string> {
  const { username, password } = new URL(url)
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    ...(username === '' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
    ...(memory?.etag == null ? {} : { 'if-none-match': memory.etag }),
    ...(memory?.lastModified == null ? {} : { 'if-modified-since': memory.lastModified }),
  }
}

/** `fetch` takes no address with a name and password in it. */
function withoutUser(text: string): string {
  const url = new URL(text)
  url.username = ''
  url.password = ''
  return url.href
}

/** Licence keys stand in queries too. */
function withoutSecrets(text: string): string {
  const url = new URL(withoutUser(text))
  return `${url.origin}${url.pathname}`
}
