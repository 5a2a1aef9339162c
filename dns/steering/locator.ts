import type { Place } from '../../core/index.ts'
import type { Asker, ClientSubnet } from '../message/index.ts'

/** Where a client is, as far as anybody knows. */
export interface Located {
  /** Undefined when it is not known: then `spread` decides. */
  readonly place: Place | undefined
  /** Equal for equal networks, else spread evenly over [0, 1). */
  readonly spread: number
  /** SCOPE PREFIX-LENGTH (RFC 7871 section 7.2.1): the answer holds for all clients that share so many bits. */
  readonly scopePrefix: number
  /** Whose address was looked at. */
  readonly by: 'subnet' | 'resolver'
  readonly source: 'override' | 'database' | 'unknown'
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country?: string
}

/** Where clients are. Never throws: whoever is not found is at an unknown place. */
export interface Locator {
  locate(asker: Asker, subnet: ClientSubnet | undefined): Located
}

/** Knows no place. */
export const nowhere: Locator = {
  locate: (_asker, subnet) => ({
    place: undefined,
    spread: 0,
    scopePrefix: 0,
    by: subnet === undefined ? 'resolver' : 'subnet',
    source: 'unknown',
  }),
}
