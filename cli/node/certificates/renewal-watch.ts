import { asMakiError, type Cancel, type Log, type OperationId, type Runtime } from '../../../core/index.ts'
import type { OpenCertificate } from '../../../replication/index.ts'
import type { Accounts } from './accounts.ts'

export interface RenewalWatchOptions {
  readonly accounts: Accounts
  readonly certificates: () => readonly OpenCertificate[]
  /** Directories that are asked; of others nobody knows whether they are. */
  readonly directories: readonly string[]
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after' | 'random'>
  readonly log: Log
  readonly changed: () => void
  readonly signal: AbortSignal
}

type Window = { readonly startMs: number; readonly endMs: number }

const FIRST_MS = 30_000
const HOUR_MS = 3_600_000
/** Where an authority says nothing of renewal, or cannot be asked. */
const SILENT_MS = 6 * HOUR_MS
const LOOK_MS = 60_000

/**
 * Asks authorities when they would like their certificates to be renewed (RFC 9773): before a mass revocation they say so here, and nowhere
 * else. Every node asks for itself.
 */
export class RenewalWatch implements Disposable {
  readonly windows = new Map<OperationId, Window>()
  readonly #options: RenewalWatchOptions
  readonly #askMs = new Map<OperationId, number>()
  #cancel: Cancel

  constructor(options: RenewalWatchOptions) {
    this.#options = options
    this.#cancel = options.runtime.after(FIRST_MS * (1 + options.runtime.random()), () => void this.#look())
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }

  async #look(): Promise<void> {
    const { certificates, directories, runtime, signal } = this.#options
    const present = certificates().filter(({ directory }) => directory !== undefined && directories.includes(directory))
    const ids = new Set(present.map(({ id }) => id))
    for (const id of [...this.#askMs.keys()]) {
      if (ids.has(id)) continue
      this.#askMs.delete(id)
      this.windows.delete(id)
    }
    for (const certificate of present) {
      if (signal.aborted) return
      if ((this.#askMs.get(certificate.id) ?? 0) <= runtime.monotonic()) await this.#ask(certificate)
    }
    if (!signal.aborted) this.#cancel = runtime.after(LOOK_MS, () => void this.#look())
  }

  async #ask({ id, chain, directory, name }: OpenCertificate): Promise<void> {
    const { accounts, runtime, log, changed, signal } = this.#options
    let againMs = SILENT_MS
    try {
      const info = await accounts.authority(directory as string).renewalInfo(chain, signal)
      if (info !== undefined) {
        againMs = info.askAgainMs
        const before = this.windows.get(id)
        this.windows.set(id, { startMs: info.startMs, endMs: info.endMs })
        if (before?.startMs !== info.startMs || before.endMs !== info.endMs) {
          log.info('certificates.renewal-suggested', { name, ...info })
          changed()
        }
      }
    } catch (error) {
      if (!signal.aborted) log.debug('certificates.renewal-unknown', { name, error: asMakiError(error).message })
    }
    this.#askMs.set(id, runtime.monotonic() + againMs)
  }
}
