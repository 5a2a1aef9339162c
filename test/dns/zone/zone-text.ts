import { formatRdata } from '../../../dns/rdata/rdata.ts'
import { formatType } from '../../../dns/wire/codes.ts'
import type { Zone } from '../../../dns/zone/zone-table.ts'

/** A zone's whole content as master-file lines in a fixed order; names that are empty non-terminals as comments. */
export function zoneText(zone: Zone): string {
  const lines: string[] = []
  for (const name of [...zone.names.keys()].sort()) {
    const types = zone.names.get(name) ?? new Map<never, never>()
    if (types.size === 0) lines.push(`; ${name}. is an empty non-terminal`)
    for (const rrset of [...types.values()].sort((a, b) => a.type - b.type)) {
      for (const data of rrset.rdata)
        lines.push(`${name}. ${rrset.ttl} IN ${formatType(rrset.type)} ${formatRdata(data)}`)
    }
  }
  const { negativeSoa } = zone
  lines.push(`; negative answers: ${negativeSoa.name}. ${negativeSoa.ttl} IN SOA`)
  return `${lines.join('\n')}\n`
}
