import type { Key } from '../../core/index.ts'
import { listAbandoned, planAbandoned } from './plan-abandoned.ts'
import { planDomain } from './plan-domain.ts'
import type { PlanInput, SyncPlan } from './sync-plan.ts'
import { isSameValue, listWanted, wantRelease } from './wanted.ts'

/**
 * The three-way comparison of file, state and what this project wrote before; pure. Per key: equal to the file is
 * left alone; written by this project is changed or removed; written by another stays where the file says nothing or
 * still says what this project wrote last, and is a fault (MAKI_CONFLICT) where both changed. Once the changes are
 * folded, the same plan is empty.
 */
export function planSync(input: PlanInput): SyncPlan {
  const planned = input.project.domains.map((domain) => planDomain(input, domain))
  const abandoned = listAbandoned(input).map((domain) => planAbandoned(input, domain))
  const plans = [...planned, ...abandoned]
  return { domains: plans.map(({ plan }) => plan), faults: plans.flatMap(({ faults }) => faults) }
}

/** The keys for which `planSync` has to know what this project wrote last: gone, or different by another's hand. */
export function listContestedKeys(input: Pick<PlanInput, 'project' | 'sites' | 'state'>): readonly Key[] {
  const { project } = input.project
  const contested: Key[] = []
  for (const domain of input.project.domains) {
    const site = input.sites.get(domain.name)
    const about = { project, aliases: [], commit: undefined }
    const wanted = [
      ...listWanted(domain, project),
      ...(site === undefined ? [] : [wantRelease(domain.name, site, about)]),
    ]
    for (const { key, value } of wanted) {
      const entry = input.state.get(key)
      if (entry === undefined || (entry.via !== project && !isSameValue(entry.value, value))) contested.push(key)
    }
  }
  return contested
}
