import { isIPv6, SocketAddress } from 'node:net'
import { findRefusedNetwork } from './refused-networks.ts'

/** Where somebody wants to connect to, and in which way. */
export interface Target {
  readonly address: string
  readonly port: number
  /** `http`: we speak for the guest, and say in CDN-Loop that we do; `tcp`: it speaks for itself. */
  readonly by: 'tcp' | 'http'
}

/** Why something of the network was refused. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number]

/**
 * `address`: not public; `own-address`: this node's; `port`: one that is never allowed; `name`: no name of the public DNS;
 * `loop`: the request was a function's already; `busy`: too many connections; `rate`: too many of them in a short time;
 * `bytes`: the run has moved too much; `nonsense`: what no WASI of ours asks.
 */
export const REFUSAL_REASONS = [
  'address',
  'own-address',
  'port',
  'name',
  'loop',
  'busy',
  'rate',
  'bytes',
  'nonsense',
] as const

/** Undefined where it is allowed; `what` is for the log. */
export type Judgement = { readonly why: 'address' | 'own-address' | 'port'; readonly what: string } | undefined

/** Decides about every connection: before it is made, and of the address that it was made to. */
export interface AddressPolicy {
  judge(target: Target): Judgement
}

/** Mail between servers: a node's address would be known as a source of spam before its owner knew. */
export const REFUSED_PORTS: readonly number[] = [25]
/** Of the node itself: where visitors come in. */
export const OWN_PORTS: readonly number[] = [80, 443]

/**
 * Public unicast addresses alone. Of those, what `ownAddresses` gives (addresses of this machine's interfaces, and those
 * that others reach it by) at the ports of visitors, and by HTTP: from here, a guest would be let in where others are not;
 * and over a connection that it speaks through by itself, nothing would end a function that calls itself.
 */
export function createPublicPolicy(ownAddresses: () => Iterable<string>): AddressPolicy {
  return {
    judge({ address, port, by }) {
      const network = findRefusedNetwork(address)
      if (network !== undefined) return { why: 'address', what: network.what }
      if (!Number.isInteger(port) || port < 1 || port > 0xffff || REFUSED_PORTS.includes(port))
        return { why: 'port', what: `port ${port}` }
      if (by === 'http' && OWN_PORTS.includes(port)) return undefined
      const plain = normalize(address)
      for (const own of ownAddresses())
        if (normalize(own) === plain) return { why: 'own-address', what: 'an address of this node' }
      return undefined
    },
  }
}

/** One spelling for every address (RFC 5952); what is none stays as it is. */
function normalize(address: string): string {
  const [plain = ''] = address.split('%')
  return isIPv6(plain) ? new SocketAddress({ address: plain, family: 'ipv6' }).address : plain
}
