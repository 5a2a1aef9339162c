import type { ClusterId } from '../../core/index.ts'
import { formatListenAddress, formatTomlValue } from '../config/index.ts'
import { LOOPBACK, type NodeLayout } from './layout.ts'

export interface NodeConfigInput {
  readonly node: NodeLayout
  readonly cluster: ClusterId
  readonly control: string
  /** The other nodes that run. */
  readonly peers: readonly NodeLayout[]
}

/** A node's configuration file; made anew at every start, since ports may be others then. Pure. */
export function buildNodeConfig({ node, cluster, control, peers }: NodeConfigInput): string {
  const at = (port: number): string => formatListenAddress({ host: LOOPBACK, port })
  const sections: Record<string, Record<string, unknown>> = {
    node: { name: node.name, cluster, data_dir: node.dataDirectory, is_nameserver: true, control },
    // Whoever runs one of them by hand gets no interface either.
    wireguard: { enabled: false },
    replication: {
      addr: at(node.gossipPort),
      bootstrap: peers.map(({ gossipPort }) => at(gossipPort)),
      blobs_addr: at(node.blobsPort),
    },
    // All who ask are this computer: there is nobody to protect, and somebody who measures.
    dns: { addr: at(node.dnsPort), rate_limit: 0 },
    // A browser finds the site as localhost without any DNS; one process a node is enough here.
    web: {
      http_addr: at(node.httpPort),
      workers: 0,
      local_hosts: true,
      ...(node.httpsPort === undefined ? {} : { https_addr: at(node.httpsPort), local_https: true }),
    },
    acme: { enabled: false },
    // Often enough to watch it happen.
    health: { check_interval: 2 },
  }
  const text = Object.entries(sections).map(([name, values]) => `[${name}]\n${formatPairs(values)}`)
  return `# Written by maki dev at every start: what is changed here is lost.\n${text.join('\n')}`
}

const formatPairs = (values: Record<string, unknown>): string =>
  Object.entries(values)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${formatTomlValue(value)}\n`]))
    .join('')
