import { BlockList, isIP } from 'node:net'
import { plainAddress, readForwarded, readXForwarded } from '../message/index.ts'
import type { SiteRequest } from '../respond/index.ts'

export interface ProxyOptions {
  /** Addresses, and networks in CIDR notation. */
  readonly networks: readonly string[]
  /**
   * Which fields they set. One kind only: a proxy that sets one passes on the other as its client wrote it.
   */
  readonly fields: 'x-forwarded' | 'forwarded'
}

/** Proxies before us that are believed when they say who asks, and how; nobody else is. */
export class TrustedProxies {
  readonly #networks = new BlockList()
  readonly #read: typeof readXForwarded

  constructor({ networks, fields }: ProxyOptions) {
    this.#read = fields === 'forwarded' ? readForwarded : readXForwarded
    for (const network of networks) {
      const [address = '', bits] = network.split('/')
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
      this.#networks.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
    }
  }

  /** The request as its client made it, where a proxy that is believed passed it on; else the request itself. */
  unwrap(request: SiteRequest): SiteRequest {
    if (request.isDirect === true) return request
    const client = request.client()
    if (!this.has(client.address)) return request
    const { address, secure, host } = this.#read(
      (name) => request.field(name),
      (each) => this.has(each),
    )
    return {
      method: request.method,
      target: request.target,
      host: host ?? request.host,
      secure: secure ?? request.secure,
      // The certificate was shown to the proxy, for the host that it asked for.
      covers: host === undefined ? request.covers : undefined,
      field: (name) => request.field(name),
      fields: () => request.fields(),
      content: request.content,
      // The country of a proxy is not the client's.
      client: () => (address === undefined ? client : { address, country: undefined }),
    }
  }

  /** Whether an IP address is that of one of them. */
  has(address: string): boolean {
    const plain = plainAddress(address)
    const family = isIP(plain)
    return family !== 0 && this.#networks.check(plain, family === 6 ? 'ipv6' : 'ipv4')
  }
}
