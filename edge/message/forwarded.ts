import { isIP } from 'node:net'

/** What a proxy says of a request that it passed on; a part is absent where it does not say, or what it says is none. */
export interface Forwarded {
  /** Address of the client; absent where every hop was a proxy of ours that did not know better. */
  readonly address?: string
  readonly secure?: boolean
  readonly host?: string
}

/** More hops than anybody has; whoever sends more wants us to work. */
const MAX_HOPS = 32
const MAX_LENGTH = 2048

interface Hop {
  readonly from: string | undefined
  readonly scheme: string | undefined
  readonly host: string | undefined
}

/**
 * Reads X-Forwarded-For, -Proto and -Host, which came from a proxy that is believed. The client is the last address that is
 * no such proxy: what stands before it was written by strangers. The scheme is the one at which that proxy was asked.
 */
export function readXForwarded(
  field: (name: string) => string | undefined,
  isProxy: (address: string) => boolean,
): Forwarded {
  const addresses = listOf(field('x-forwarded-for'))
  const schemes = listOf(field('x-forwarded-proto'))
  const hosts = listOf(field('x-forwarded-host'))
  const hops = addresses.map((from, i): Hop => {
    // One for each hop, or only the last proxy's.
    const at = (list: readonly string[]) => (list.length === addresses.length ? list[i] : list.at(-1))
    return { from, scheme: at(schemes), host: at(hosts) }
  })
  return hops.length === 0
    ? describe({ from: undefined, scheme: schemes.at(-1), host: hosts.at(-1) })
    : choose(hops, isProxy)
}

/** Reads Forwarded (RFC 7239), likewise. A field that is not well-formed says nothing. */
export function readForwarded(
  field: (name: string) => string | undefined,
  isProxy: (address: string) => boolean,
): Forwarded {
  const text = field('forwarded')
  if (text === undefined || text.length > MAX_LENGTH) return {}
  const hops: Hop[] = []
  for (const element of text.match(ELEMENTS) ?? []) {
    const pairs = new Map<string, string>()
    for (const [, name, token, quoted] of element.matchAll(PAIR))
      pairs.set((name as string).toLowerCase(), token ?? (quoted as string).replace(/\\(.)/g, '$1'))
    hops.push({ from: pairs.get('for'), scheme: pairs.get('proto'), host: pairs.get('host') })
  }
  return hops.length === 0 || hops.length > MAX_HOPS ? {} : choose(hops, isProxy)
}

/** What stands between commas that no quotation holds. */
const ELEMENTS = /(?:[^",]|"(?:[^"\\]|\\.)*")+/g
const PAIR = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+)|"((?:[^"\\]|\\.)*)")/g

/** From the hop next to us back to the first that no proxy of ours reported. */
function choose(hops: readonly Hop[], isProxy: (address: string) => boolean): Forwarded {
  for (let i = hops.length - 1; i > 0; i--) {
    const hop = hops[i] as Hop
    const address = addressOf(hop.from)
    if (address === undefined || !isProxy(address)) return describe(hop)
  }
  return describe(hops[0] as Hop)
}

function describe({ from, scheme, host }: Hop): Forwarded {
  const address = addressOf(from)
  const lower = scheme?.toLowerCase()
  return {
    ...(address === undefined ? {} : { address }),
    ...(lower === 'http' || lower === 'https' ? { secure: lower === 'https' } : {}),
    ...(host === undefined || host === '' ? {} : { host }),
  }
}

/** An address, whose port is left away: `192.0.2.1:80`, `[2001:db8::1]:80`. Undefined for `unknown` and made-up names. */
function addressOf(text: string | undefined): string | undefined {
  const match =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15})(?::[0-9]{1,5})?|([0-9A-Fa-f:.]{2,45}))$/.exec(
      text ?? '',
    )
  const address = match?.[1] ?? match?.[2] ?? match?.[3]
  return address !== undefined && isIP(address) !== 0 ? address : undefined
}

function listOf(text: string | undefined): readonly string[] {
  if (text === undefined || text.length > MAX_LENGTH) return []
  const list = text.split(',', MAX_HOPS + 1).map((item) => item.trim())
  return list.length > MAX_HOPS ? [] : list
}
