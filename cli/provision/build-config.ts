import type { ClusterId, NodeName } from '../../core/index.ts'
import { formatListenAddress, formatTomlValue } from '../config/index.ts'
import { SERVER_PORTS } from '../setup/index.ts'

export interface ServerConfigInput {
  readonly name: NodeName
  readonly cluster: ClusterId
  readonly isNameserver: boolean
  /** Public addresses of the other nodes. */
  readonly peers: readonly string[]
}

/** The configuration of a new node: what it has to know; all else is as `docs/daemon.md` has it. Pure. */
export function buildServerConfig({ name, cluster, isNameserver, peers }: ServerConfigInput): string {
  const { gossip, blobs } = SERVER_PORTS
  const bootstrap = peers.map((host) => formatListenAddress({ host, port: gossip }))
  const sections: Record<string, Record<string, unknown>> = {
    node: { name, cluster, is_nameserver: isNameserver },
    replication: { addr: `[::]:${gossip}`, blobs_addr: `[::]:${blobs}`, bootstrap, dial_members: true },
  }
  const tables = Object.entries(sections).map(([section, values]) => {
    const pairs = Object.entries(values).map(([key, value]) => `${key} = ${formatTomlValue(value)}\n`)
    return `\n[${section}]\n${pairs.join('')}`
  })
  return `# Written by maki machine init. What you change here stays; all keys: docs/daemon.md\n${tables.join('')}`
}
