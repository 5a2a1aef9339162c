import { announcedSchema, type CertificateName, type CertificatePlan, canSeal } from '../../../core/index.ts'
import type { CertificatesReport } from '../../../edge/index.ts'
import type { Replica } from '../../../replication/index.ts'

/** Since when operations can say how an order goes. */
const SCHEMA_OF_ORDERS = 5

/** Why nobody may order now, whatever there is to order. */
export interface Obstacle {
  readonly code: 'version' | 'damaged'
  readonly reason: string
}

/** What a plan leaves to be said: names without a certificate, and certificates that are not there yet, each with why. Pure. */
export function reportPlan(
  { uncovered, waiting, duties }: Pick<CertificatePlan, 'uncovered' | 'waiting' | 'duties'>,
  running: ReadonlySet<CertificateName>,
  obstacle: Obstacle | undefined,
): CertificatesReport {
  const due = duties.flatMap((duty) => {
    if (duty.kind !== 'order') return []
    const { name } = duty.wanted
    if (obstacle !== undefined) return { name, ...obstacle, next: null }
    return running.has(name)
      ? { name, code: 'ordering', reason: `It is being ordered from ${duty.directory}.`, next: null }
      : { name, code: 'due', reason: `It is about to be ordered from ${duty.directory}.`, next: null }
  })
  const later = waiting.map(({ name, code, reason, nextMs }) => ({
    ...{ name, code, reason },
    next: nextMs === undefined ? null : new Date(nextMs).toISOString(),
  }))
  return { uncovered, waiting: [...due, ...later].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)) }
}

/** Nobody may write what some node cannot read, or seal what some node cannot open. */
export function findObstacle({ state, damaged }: Pick<Replica, 'state' | 'damaged'>): Obstacle | undefined {
  if (announcedSchema(state) < SCHEMA_OF_ORDERS || !canSeal(state)) {
    const reason =
      'A node runs a version that knows nothing of orders. maki status shows the versions; upgrade the oldest.'
    return { code: 'version', reason }
  }
  if (damaged === undefined) return undefined
  return {
    code: 'damaged',
    reason: 'The store of this node lost operations; it compares itself with another node first.',
  }
}
