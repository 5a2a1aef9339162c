import type { Hostname, NodeView } from '../../core/index.ts'

/** What is to be entered at the registrar of a domain, for one of its name servers. */
export interface GlueChange {
  readonly domain: Hostname
  /** The name server's name, without the final dot. */
  readonly host: string
  /** `add`, `remove`: also among the name servers of the domain. */
  readonly kind: 'add' | 'change' | 'remove'
  readonly before: readonly string[]
  readonly after: readonly string[]
}

type Server = Pick<NodeView, 'key' | 'name' | 'nameserver' | 'ipv4' | 'ipv6'>

/**
 * What registrars of the domains have to be told when the nodes were these and are those: name servers that come and go, and
 * addresses of those that stay (glue, RFC 9471). A node without any address is no name server. Pure; by domain, then by name.
 */
export function planGlue(
  domains: readonly Hostname[],
  before: readonly Server[],
  after: readonly Server[],
): readonly GlueChange[] {
  const old = listServers(before)
  const now = listServers(after)
  const names = [...new Set([...old.keys(), ...now.keys()])].sort()
  return domains.flatMap((domain) =>
    names.flatMap((name): GlueChange[] => {
      const [was, is] = [old.get(name) ?? [], now.get(name) ?? []]
      if (was.join(' ') === is.join(' ')) return []
      const kind = was.length === 0 ? 'add' : is.length === 0 ? 'remove' : 'change'
      return [{ domain, host: `${name}.ns.${domain}`, kind, before: was, after: is }]
    }),
  )
}

function listServers(nodes: readonly Server[]): ReadonlyMap<string, readonly string[]> {
  const servers = nodes.flatMap(({ name, nameserver, ipv4, ipv6 }): [string, string[]][] => {
    const addresses = [ipv4, ipv6].filter((address) => address !== null)
    return nameserver && addresses.length > 0 ? [[name, addresses]] : []
  })
  return new Map(servers)
}

/** What to do at the registrar, a domain a paragraph; empty where nothing is to be done. */
export function formatGlue(changes: readonly GlueChange[]): string {
  const domains = [...Map.groupBy(changes, ({ domain }) => domain)]
  return domains
    .map(([domain, group]) => [`At the registrar of ${domain}:`, ...group.map((each) => `  ${tell(each)}`)].join('\n'))
    .join('\n')
}

function tell({ host, kind, before, after }: GlueChange): string {
  switch (kind) {
    case 'add':
      return `add the name server ${host} with the glue ${after.join(', ')}`
    case 'change':
      return `change the glue of ${host} from ${before.join(', ')} to ${after.join(', ')}`
    case 'remove':
      return `remove the name server ${host} and its glue ${before.join(', ')}`
    default:
      return kind satisfies never
  }
}
