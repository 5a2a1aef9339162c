import type { Cancel, Log, Runtime } from '../../core/index.ts'
import { CertificateStore, type HostCertificate, type HttpServerOptions } from '../../edge/index.ts'

export interface TlsKeeperOptions {
  readonly runtime: Runtime
  readonly log: Log
  /** Told of the names that have a valid certificate, whenever they change. */
  readonly secured: (names: ReadonlySet<string>) => void
}

type TlsListenOptions = NonNullable<HttpServerOptions['tls']>

/** A timer of the system reaches 24 days. */
const LONGEST_MS = 24 * 3_600_000

/** What TLS of a worker shows: certificates and ticket keys, as control said last, and who is secured by them now. */
export class TlsKeeper implements Disposable {
  readonly #options: TlsKeeperOptions
  readonly #certificates: CertificateStore
  #ticketKeys: Uint8Array | undefined
  #server: { setTicketKeys(keys: Uint8Array): void } | undefined
  #cancel: Cancel = () => {}

  constructor(options: TlsKeeperOptions) {
    this.#options = options
    this.#certificates = new CertificateStore(options)
  }

  replace(certificates: readonly HostCertificate[]): void {
    this.#certificates.replace(certificates)
    this.#refresh()
  }

  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys
    this.#server?.setTicketKeys(keys)
  }

  /** What a listener at the address needs. */
  options(at: Pick<TlsListenOptions, 'host' | 'port' | 'fd'>): TlsListenOptions {
    return { ...at, certificates: this.#certificates, ticketKeys: this.#ticketKeys }
  }

  /** It listens, and is told of new keys. */
  listens(server: { setTicketKeys(keys: Uint8Array): void } | undefined): void {
    this.#server = server
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }

  /** Looks again when a certificate begins or ceases to be valid. */
  #refresh(): void {
    this.#cancel()
    const { runtime, secured } = this.#options
    secured(this.#certificates.validNames())
    const nextMs = this.#certificates.validForMs()
    if (nextMs !== undefined) this.#cancel = runtime.after(Math.min(nextMs, LONGEST_MS), () => this.#refresh())
  }
}
