import { promises as dns } from 'node:dns'
import type { Runtime } from '../../core/index.ts'

/** `none`: there is no such name, or it has no address. */
export type Resolution =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'timeout' }

/** Asks the DNS, and it alone: no file of hosts, no search list, no cache. */
export interface NameResolver {
  /** Never rejects. Given up when `signal` aborts: `timeout` then. */
  resolve(name: string, signal: AbortSignal): Promise<Resolution>
}

const TRY_MS = 2_000
const TRIES = 2
/** For both families, whatever servers there are. */
const MOST_MS = 6_000
/** An answer may name hundreds. */
const MAX_ADDRESSES = 16

/** `servers`: `192.0.2.1:53`, `[2001:db8::1]:53`; those of the system where none is given. IPv4 addresses come first. */
export function createNameResolver(servers: readonly string[], runtime: Pick<Runtime, 'after'>): NameResolver {
  return {
    async resolve(name, signal) {
      // A new one for each: another source port, and the resolvers of the system as they are now.
      const resolver = new dns.Resolver({ timeout: TRY_MS, tries: TRIES })
      if (servers.length > 0) resolver.setServers(servers)
      const cancel = () => resolver.cancel()
      const cancelTimeout = runtime.after(MOST_MS, cancel)
      signal.addEventListener('abort', cancel)
      try {
        if (signal.aborted) return { kind: 'timeout' }
        // Absolute: a resolver of the system must not try it with a suffix of its own.
        const both = await Promise.all([read(resolver.resolve4(`${name}.`)), read(resolver.resolve6(`${name}.`))])
        const addresses = both.flatMap((each) => (each.kind === 'addresses' ? each.addresses : []))
        if (addresses.length > 0) return { kind: 'addresses', addresses: addresses.slice(0, MAX_ADDRESSES) }
        return both.find(({ kind }) => kind === 'timeout') ?? both.find(({ kind }) => kind === 'failed') ?? both[0]
      } finally {
        cancelTimeout()
        signal.removeEventListener('abort', cancel)
      }
    },
  }
}

async function read(asked: Promise<readonly string[]>): Promise<Resolution> {
  try {
    return { kind: 'addresses', addresses: (await asked).slice(0, MAX_ADDRESSES / 2) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === dns.NOTFOUND || code === dns.NODATA) return { kind: 'none' }
    return { kind: code === dns.TIMEOUT || code === dns.CANCELLED ? 'timeout' : 'failed' }
  }
}
