import { type Change, type Hostname, keys } from '../../core/index.ts'
import { readPart } from './plan-domain.ts'
import type { DomainPlan, PlanFault, PlanInput, PlanLine } from './sync-plan.ts'
import { isRelease, nameOfWriter } from './wanted.ts'

/** Domains in which this project wrote something, and which its file does not have any more. */
export function listAbandoned({ project, state }: Pick<PlanInput, 'project' | 'state'>): readonly Hostname[] {
  const kept = new Set<string>(project.domains.map(({ name }) => name))
  return (state.ids('domain') as Hostname[]).filter((apex) => {
    if (kept.has(apex) || state.get(keys.domain(apex)) === undefined) return false
    return state.scope(keys.domain(apex)).some((entry) => entry.via === project.project)
  })
}

/** Without `prune` it says what is left; with it the domain goes, unless others have a part in it. */
export function planAbandoned(
  { project, state, options }: PlanInput,
  apex: Hostname,
): { plan: DomainPlan; faults: readonly PlanFault[] } {
  const via = project.project
  const changes: Change[] = []
  const lines: PlanLine[] = []
  const faults: PlanFault[] = []
  const build = () => ({ plan: { domain: apex, changes, lines }, faults })
  if (options.prune !== true) {
    lines.push({ kind: 'keep', text: `domain ${apex} is no longer in the file and stays (--prune removes it)` })
    return build()
  }
  const entries = state.scope(keys.domain(apex))
  const settings = state.get(keys.domain(apex))
  const isOurs = settings?.via === via
  const parts = entries.flatMap((entry) => {
    const part = readPart(apex, entry)
    return part === undefined ? [] : [{ ...part, entry }]
  })
  for (const { name, remove, entry } of parts) {
    if (entry.via === via || (isOurs && options.takeOver === true)) {
      // Records go with the domain; aliases are named, so that each host is released by a change of its own.
      if (!isOurs || remove.kind === 'alias.remove') changes.push({ ...remove, via })
      lines.push({ kind: 'remove', text: name })
    } else if (isOurs) {
      faults.push({
        key: entry.key,
        message: `${apex} is no longer in the file, but it has the ${name}, written by ${nameOfWriter(state, entry)}`,
        hint: 'To remove the domain with all that others wrote there: maki sync --prune --take-over',
      })
    }
  }
  if (settings !== undefined && !isOurs) {
    lines.push({
      kind: 'keep',
      text: `domain ${apex} stays: its settings were written by ${nameOfWriter(state, settings)}`,
    })
    return build()
  }
  const release = state.get(keys.release(apex))
  const isForeign = release !== undefined && release.via !== via && isRelease(release.value)
  if (isForeign && release.value.rollbackOf === undefined && options.takeOver !== true) {
    faults.push({
      key: release.key,
      message: `${apex} is no longer in the file, but its release was published by ${nameOfWriter(state, release)}`,
      hint: 'To remove the domain all the same: maki sync --prune --take-over',
    })
  }
  changes.push({ kind: 'domain.remove', domain: apex, via })
  lines.push({ kind: 'remove', text: `domain ${apex} and its site: no longer in the file` })
  return build()
}
