import type { ResolveAddressStream as WasiResolveAddressStream } from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-ip-name-lookup'
import type { ErrorCode, IpAddress } from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import { type Instance, Resource, refuseAnswer } from './instance.ts'
import { findAddress } from './ip-address.ts'
import { refuse, toNetworkCode } from './network-code.ts'
import { Pollable, READY } from './poll.ts'

/** RFC 1035, section 2.3.4, with a dot at its end. */
const MAX_NAME_CHARS = 254

/**
 * `resolve-address-stream` of wasi:sockets. The owner is asked for the addresses when the first of them is wanted, and that
 * blocks; so it is always ready.
 */
export class ResolveAddressStream extends Resource implements WasiResolveAddressStream {
  readonly #instance: Instance
  readonly #name: string
  #found: { readonly addresses: readonly IpAddress[] } | { readonly error: ErrorCode } | undefined
  #at = 0

  constructor(instance: Instance, name: string) {
    super(instance)
    this.#instance = instance
    this.#name = name
  }

  resolveNextAddress(): IpAddress | undefined {
    this.#found ??= this.#resolve()
    if ('error' in this.#found) return refuse(this.#found.error)
    return this.#found.addresses[this.#at++]
  }

  subscribe(): Pollable {
    return new Pollable(this.#instance, () => READY)
  }

  #resolve(): { addresses: IpAddress[] } | { error: ErrorCode } {
    const literal = findAddress(this.#name)
    if (literal !== undefined) return { addresses: [literal] }
    const { header } = this.#instance.ask({ ask: 'resolve', name: this.#name })
    if ('error' in header) return { error: toNetworkCode(header) }
    if (!('addresses' in header)) throw refuseAnswer('resolve')
    return { addresses: header.addresses.map(findAddress).filter((address) => address !== undefined) }
  }
}

/** `resolve-addresses`. Throws `invalid-argument` for what is no name. */
export function resolveAddresses(instance: Instance, name: string): ResolveAddressStream {
  if (name === '' || name.length > MAX_NAME_CHARS || /[\0-\x20\x7f/]/.test(name) || !name.isWellFormed())
    refuse('invalid-argument')
  return new ResolveAddressStream(instance, name)
}
