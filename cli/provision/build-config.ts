import type { ClusterId, NodeName } from '../../core/index.ts'
import { formatTomlValue } from '../config/index.ts'

export interface ServerConfigInput {
  readonly name: NodeName
  readonly cluster: ClusterId
  readonly isNameserver: boolean
}

/**
 * The configuration of a new node: who it is; all else is as `docs/daemon.md` has it. Whom it meets first, and where, is in the
 * operations that it begins with. Pure.
 */
export function buildServerConfig({ name, cluster, isNameserver }: ServerConfigInput): string {
  const pairs = Object.entries({ name, cluster, is_nameserver: isNameserver })
  const lines = pairs.map(([key, value]) => `${key} = ${formatTomlValue(value)}\n`)
  return `# Written by maki machine init. What you change here stays; all keys: docs/daemon.md\n\n[node]\n${lines.join('')}`
}
