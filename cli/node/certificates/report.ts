import type { CertificateName, CertificatePlan } from '../../../core/index.ts'
import type { CertificatesReport } from '../../../edge/index.ts'

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
