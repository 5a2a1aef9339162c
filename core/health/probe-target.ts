import type { MemberKey } from '../ids.ts'
import type { AddressFamily } from './standing.ts'

/**
 * What is asked of a public address. `web`: HTTP, and HTTPS where the node serves certificates; visitors are sent by it
 * alone. `dns`: of name servers only; one that fails is a finding to show and takes no visitors away, for resolvers turn to
 * the next name server by themselves and the web server beside it may be well.
 */
export type Service = 'web' | 'dns'

/** A node as far as its health goes. */
export interface WatchedNode {
  readonly key: MemberKey
  readonly ipv4: string | null
  readonly ipv6: string | null
  readonly nameserver: boolean
}

/** One service at one public address. */
export interface ProbeTarget {
  readonly key: MemberKey
  readonly family: AddressFamily
  readonly service: Service
  readonly address: string
}

/** `unable`: the prober itself has no way to that family (no address, no route), which says nothing of the target. */
export type ProbeOutcome = 'up' | 'down' | 'unable'

/** What one probe found. */
export interface ProbeResult extends ProbeTarget {
  readonly outcome: ProbeOutcome
  /** In a few words, where it is not up. */
  readonly reason?: string
}

/** Service and family in two letters, as they travel. */
export const FACES = ['w4', 'w6', 'd4', 'd6'] as const
export type Face = (typeof FACES)[number]

export const faceOf = ({ service, family }: Pick<ProbeTarget, 'service' | 'family'>): Face =>
  `${service === 'web' ? 'w' : 'd'}${family === 'ipv4' ? '4' : '6'}`

/** All that can be asked of a node, in the order of `FACES`. */
export function listProbeTargets({ key, ipv4, ipv6, nameserver }: WatchedNode): readonly ProbeTarget[] {
  const services: readonly Service[] = nameserver ? ['web', 'dns'] : ['web']
  return services.flatMap((service) => [
    ...(ipv4 === null ? [] : [{ key, family: 'ipv4', service, address: ipv4 } as const]),
    ...(ipv6 === null ? [] : [{ key, family: 'ipv6', service, address: ipv6 } as const]),
  ])
}
