import { promises as dns } from 'node:dns'
import type { AliasLookup, AliasOutcome, FamilyOutcome } from '../../dns/index.ts'
import { formatListenAddress, type ListenAddress } from '../config/index.ts'

/** For the first try at one resolver; the second waits longer. */
const TIMEOUT_MS = 3_000
const TRIES = 2

/** Asks the given resolvers for A and AAAA, the ones of the system where none is given. */
export function createAliasLookup(
  resolvers: readonly ListenAddress[],
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): AliasLookup {
  const servers = resolvers.map(formatListenAddress)
  return {
    async lookUp(target): Promise<AliasOutcome> {
      // A new one for each: another source port, and the resolvers of the system as they are now.
      const resolver = new dns.Resolver({ timeout: timeoutMs, tries: TRIES })
      if (servers.length > 0) resolver.setServers(servers)
      const [ipv4, ipv6] = await Promise.all([
        read(resolver.resolve4(target, { ttl: true })),
        read(resolver.resolve6(target, { ttl: true })),
      ])
      return { ipv4, ipv6 }
    },
  }
}

async function read(asked: Promise<readonly { address: string; ttl: number }[]>): Promise<FamilyOutcome> {
  try {
    const records = await asked
    if (records.length === 0) return { kind: 'none' }
    return {
      kind: 'addresses',
      addresses: records.map(({ address }) => address),
      ttl: records.reduce((least, { ttl }) => Math.min(least, ttl), Number.POSITIVE_INFINITY),
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (code === dns.NOTFOUND || code === dns.NODATA) return { kind: 'none' }
    return { kind: 'failed', reason: REASONS[code] ?? `the resolver could not be asked (${code})` }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  [dns.TIMEOUT]: 'the resolver did not answer in time',
  [dns.SERVFAIL]: 'the resolver found no answer (SERVFAIL)',
  [dns.REFUSED]: 'the resolver refuses to answer (REFUSED)',
  [dns.CONNREFUSED]: 'no resolver can be reached',
  [dns.BADRESP]: 'the resolver answered what cannot be read',
}
