import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import type { Log, Runtime } from '../../core/index.ts'
import { type Candidate, chooseCertificate, isValid } from './choose-certificate.ts'
import { ContextCache } from './context-cache.ts'
import type { HostCertificate } from './host-certificate.ts'
import { buildContext } from './tls-profile.ts'

/** What a host shows, as a handshake needs it. */
export interface Shown {
  readonly context: SecureContext
  /** Whether a connection that was shown it may ask for the host, in lower case. */
  covers(host: string): boolean
}

interface Held extends HostCertificate, Candidate {
  /** Which chain and key, among all that were ever held here. */
  readonly serial: number
}

interface Index {
  readonly exact: ReadonlyMap<string, readonly Held[]>
  /** By what follows the asterisk and its dot. */
  readonly wildcard: ReadonlyMap<string, readonly Held[]>
}

/**
 * The certificates that TLS shows, found by host. Another set is swapped in whole, without a connection noticing; one of
 * which chain or key is not taken is told of, and the last good one of its name stays.
 */
export class CertificateStore {
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #log: Log
  readonly #contexts: ContextCache
  #held: ReadonlyMap<string, Held> = new Map()
  #index: Index = buildIndex([])
  #serials = 0

  constructor(ports: { readonly runtime: Pick<Runtime, 'now'>; readonly log: Log; readonly maxContexts?: number }) {
    this.#runtime = ports.runtime
    this.#log = ports.log
    this.#contexts = new ContextCache(ports.maxContexts)
  }

  get size(): number {
    return this.#held.size
  }

  /** Shows these from now on, and no others. */
  replace(certificates: readonly HostCertificate[]): void {
    const held = new Map<string, Held>()
    for (const certificate of certificates) {
      const before = this.#held.get(certificate.name)
      const taken = before !== undefined && isSame(before, certificate) ? before : (this.#take(certificate) ?? before)
      if (taken !== undefined) held.set(certificate.name, taken)
    }
    this.#held = held
    this.#index = buildIndex(held.values())
  }

  /** What is shown for a host, in whatever case; undefined where there is nothing. */
  find(host: string): Shown | undefined {
    const chosen = this.#choose(host.toLowerCase())
    if (chosen === undefined) return undefined
    const context = this.#contexts.get(String(chosen.serial), () => buildContext(chosen))
    return { context, covers: (other) => isCovered(chosen.names, other) }
  }

  /** True where something is shown for the host, in lower case. */
  has(host: string): boolean {
    const { exact, wildcard } = this.#index
    return exact.has(host) || wildcard.has(parentOf(host))
  }

  /** Names that are covered by a certificate that is valid now. */
  validNames(): Set<string> {
    const nowMs = this.#runtime.now()
    return new Set([...this.#held.values()].flatMap((one) => (isValid(one, nowMs) ? one.names : [])))
  }

  /** How long `validNames` stays as it is, unless `replace` is called; undefined for ever. */
  validForMs(): number | undefined {
    const nowMs = this.#runtime.now()
    const ahead = [...this.#held.values()]
      .flatMap(({ notBeforeMs, notAfterMs }) => [notBeforeMs, notAfterMs + 1])
      .filter((at) => at > nowMs)
    return ahead.length === 0 ? undefined : Math.min(...ahead) - nowMs
  }

  #choose(host: string): Held | undefined {
    const { exact, wildcard } = this.#index
    return chooseCertificate(exact.get(host) ?? [], wildcard.get(parentOf(host)) ?? [], this.#runtime.now())
  }

  #take(certificate: HostCertificate): Held | undefined {
    const serial = ++this.#serials
    try {
      // Built once at once, so that what TLS does not take is known before the last good one is gone.
      this.#contexts.get(String(serial), () => buildContext(certificate))
      const key = createPrivateKey(certificate.key)
      // OpenSSL takes nothing for a certificate too.
      if (!new X509Certificate(certificate.chain).checkPrivateKey(key)) throw new Error('the key is of another')
      const keyType = key.asymmetricKeyType ?? ''
      return { ...certificate, keyType, serial }
    } catch (error) {
      // Only the code: a message might quote what was read.
      const fault = (error as NodeJS.ErrnoException).code ?? 'unknown'
      this.#log.error('tls.certificate-refused', { name: certificate.name, fault })
      return undefined
    }
  }
}

function buildIndex(held: Iterable<Held>): Index {
  const exact = new Map<string, Held[]>()
  const wildcard = new Map<string, Held[]>()
  for (const one of held) {
    for (const name of one.names) {
      const [map, key] = name.startsWith('*.') ? [wildcard, name.slice(2)] : [exact, name]
      const list = map.get(key)
      if (list === undefined) map.set(key, [one])
      else list.push(one)
    }
  }
  return { exact, wildcard }
}

const isSame = (a: HostCertificate, b: HostCertificate): boolean =>
  a.chain === b.chain &&
  a.key === b.key &&
  a.names.length === b.names.length &&
  a.names.every((n, i) => n === b.names[i])

const isCovered = (names: readonly string[], host: string): boolean =>
  names.includes(host) || names.includes(`*.${parentOf(host)}`)

function parentOf(host: string): string {
  const dot = host.indexOf('.')
  return dot === -1 ? '' : host.slice(dot + 1)
}
