import { absoluteName, type DomainView, type State } from '../../core/index.ts'
import { buildZone, canonicalRecordValue, type MasterSet } from '../../dns/records/index.ts'
import { listAutomaticSets } from './automatic-sets.ts'

/**
 * The RRsets of a domain as they go into a master file: those that were written, and those of ours, in comments unless
 * `automatic`. What cannot be answered stands in a comment too.
 */
export function listExportSets(state: State, domain: DomainView, automatic: boolean): readonly MasterSet[] {
  const { apex } = domain
  const faults = new Map(buildZone(state, apex)?.faults.map(({ name, type, fault }) => [`${name} ${type}`, fault]))
  const written = domain.records.map(({ value }): MasterSet => {
    const { type, ttl, values, geo } = value
    const name = absoluteName(value.name, apex)
    const fault = faults.get(`${name} ${type}`)
    if (fault !== undefined) return { name, type, ttl, values, geo: false, comment: `not answered, ${fault}` }
    // What is canonical stays as it is; programs of other versions may have written other forms.
    return {
      name,
      type,
      ttl,
      values: values.map((text) => canonicalRecordValue(type, text, { apex })),
      geo: geo === true,
    }
  })
  const ours = listAutomaticSets(state, domain).map(
    (set): MasterSet => ({ ...set, geo: false, comment: automatic ? undefined : 'automatic' }),
  )
  return [...written, ...ours]
}
