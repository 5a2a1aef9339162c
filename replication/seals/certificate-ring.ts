import type { KeyObject } from 'node:crypto'
import {
  asMakiError,
  type CertificateName,
  type CertificateValue,
  Emitter,
  formatPrivateKey,
  isKeyOf,
  type Log,
  MakiError,
  parseCertificateChain,
  parsePrivateKey,
  type SealEpochKey,
  type State,
  sealPurpose,
} from '../../core/index.ts'

/** A certificate that can be served: chain and key were checked to belong together. */
export interface OpenCertificate {
  readonly name: CertificateName
  readonly names: readonly CertificateName[]
  /** PEM, the end entity's first. */
  readonly chain: string
  /** PKCS #8 PEM; never to be logged, sent or written. */
  readonly key: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Where TLS gets its certificates from. */
export interface CertificateSource {
  /** The best certificate for a host name in lower case: an exact name before a wildcard, then the one that lasts longest. */
  find(host: string): OpenCertificate | undefined
  readonly events: Pick<Emitter<CertificateEvents>, 'on'>
}

export interface CertificateEvents {
  /** What `find` answers may be another from now on. */
  change: { readonly names: readonly CertificateName[] }
}

/** What opens sealed values; the seal keeper. */
export interface SealOpener {
  holds(epoch: SealEpochKey): boolean
  open(purpose: string, sealed: CertificateValue['key']): Uint8Array
}

/** Opens the certificates of the state and keeps them in memory. One that cannot be served is told of once. */
export class CertificateRing implements CertificateSource {
  readonly events = new Emitter<CertificateEvents>()
  readonly #opener: SealOpener
  readonly #log: Log
  readonly #known = new Map<CertificateName, { value: CertificateValue; open: OpenCertificate | undefined }>()
  #byName = new Map<CertificateName, OpenCertificate[]>()

  constructor(options: { opener: SealOpener; log: Log }) {
    this.#opener = options.opener
    this.#log = options.log
  }

  /** Certificates that can be served, and those that were opened and cannot. */
  get counts(): { readonly open: number; readonly unusable: number } {
    const all = [...this.#known.values()]
    const open = all.filter((one) => one.open !== undefined).length
    return { open, unusable: all.length - open }
  }

  /** All that can be served. */
  get all(): readonly OpenCertificate[] {
    return [...this.#known.values()].flatMap(({ open }) => open ?? [])
  }

  find(host: string): OpenCertificate | undefined {
    const dot = host.indexOf('.')
    const wildcard = `*.${host.slice(dot + 1)}` as CertificateName
    return this.#byName.get(host as CertificateName)?.[0] ?? (dot > 0 ? this.#byName.get(wildcard)?.[0] : undefined)
  }

  /** Follows the state; costs what changed, and what could not be opened before. */
  refresh(state: State): void {
    const changed = new Set<CertificateName>()
    const present = new Set(state.ids('certificate') as CertificateName[])
    for (const name of [...this.#known.keys()]) {
      if (present.has(name)) continue
      this.#known.delete(name)
      changed.add(name)
    }
    for (const name of present) {
      const value = state.get(`certificate/${name}`)?.value as CertificateValue
      if (this.#known.get(name)?.value === value || !this.#opener.holds(value.key.epoch)) continue
      this.#known.set(name, { value, open: this.#open(value) })
      changed.add(name)
    }
    if (changed.size === 0) return
    this.#index()
    this.events.emit('change', { names: [...changed] })
  }

  #open(value: CertificateValue): OpenCertificate | undefined {
    const { name, names, notBeforeMs, notAfterMs } = value
    try {
      const chain = parseCertificateChain(value.chain)
      const key: KeyObject = parsePrivateKey(
        new TextDecoder().decode(this.#opener.open(sealPurpose.certificate(name), value.key)),
      )
      if (!isKeyOf(chain, key)) throw new MakiError('MAKI_INVALID', 'the key belongs to another certificate')
      // What the operation says of it is only said; what the certificate says is signed.
      if (!names.every((one) => chain.names.includes(one)))
        throw new MakiError('MAKI_INVALID', 'it is said to be valid for names that it does not have')
      this.#log.info('certificate.opened', { name, names, notAfterMs })
      return { name, names, chain: chain.pem, key: formatPrivateKey(key), notBeforeMs, notAfterMs }
    } catch (error) {
      this.#log.error('certificate.unusable', { name, error: asMakiError(error) })
      return undefined
    }
  }

  #index(): void {
    const byName = new Map<CertificateName, OpenCertificate[]>()
    for (const { open } of this.#known.values()) {
      for (const name of open?.names ?? []) {
        const list = byName.get(name) ?? []
        list.push(open as OpenCertificate)
        byName.set(name, list)
      }
    }
    for (const list of byName.values()) list.sort((a, b) => b.notAfterMs - a.notAfterMs)
    this.#byName = byName
  }
}
