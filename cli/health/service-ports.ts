import type { ProbeTarget } from '../../core/index.ts'
import { isLoopback } from './probe-address.ts'

/** Ports on which a node serves; a service that does not run has none. */
export interface ServicePorts {
  readonly dns?: number | undefined
  readonly http?: number | undefined
  readonly https?: number | undefined
}

const DNS_PORT = 53
const HTTP_PORT = 80
const HTTPS_PORT = 443

/**
 * Where an address is probed. Visitors know the ports of public addresses; on a loopback address (`maki dev`, tests) many
 * nodes share a computer, and each says in awareness where it listens: undefined until it has. HTTPS is asked only of a
 * node that says that it serves it.
 */
export function findPorts(address: string, said: ServicePorts | undefined): ServicePorts | undefined {
  if (isLoopback(address)) return said
  return { dns: DNS_PORT, http: HTTP_PORT, https: said?.https === undefined ? undefined : HTTPS_PORT }
}

/** One text for each target, to find it again. */
export const targetId = ({ key, service, address }: ProbeTarget): string => `${key} ${service} ${address}`
