import type { Log, WireGuardKey } from '../../core/index.ts'
import type { MeshPeerStatus } from './mesh-status.ts'

/** Longer than a restart, and than it takes to try what may work. */
export const SILENT_MS = 60_000

/** A node that does not answer for long enough to speak of it; an external peer comes and goes as it likes. */
export const isSilent = ({ kind, silentMs }: Pick<MeshPeerStatus, 'kind' | 'silentMs'>): boolean =>
  kind === 'node' && silentMs !== undefined && silentMs >= SILENT_MS

/** Says once in the log that a node does not answer, and once that it does again. */
export class SilenceLog {
  readonly #log: Log
  readonly #silent = new Set<WireGuardKey>()

  constructor(log: Log) {
    this.#log = log
  }

  note(peers: readonly MeshPeerStatus[]): void {
    const known = new Set(peers.map(({ publicKey }) => publicKey))
    for (const key of this.#silent) if (!known.has(key)) this.#silent.delete(key)
    for (const peer of peers) {
      const { publicKey, name, address, endpoint, silentMs } = peer
      if (isSilent(peer) && !this.#silent.has(publicKey)) {
        this.#silent.add(publicKey)
        this.#log.warn('mesh.silent', { name, address, endpoint: endpoint ?? null, forMs: silentMs })
      } else if (silentMs === undefined && this.#silent.delete(publicKey)) {
        this.#log.info('mesh.heard', { name, address, endpoint: endpoint ?? null })
      }
    }
  }
}
