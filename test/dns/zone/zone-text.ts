import { formatRdata } from '../../../dns/rdata/rdata.ts'
import { formatType } from '../../../dns/wire/codes.ts'
import type { Zone } from '../../../dns/zone/zone.ts'
import type { ZoneSet } from '../../../dns/zone/zone-set.ts'

/** A zone's whole content as master-file lines in a fixed order; what is no record on the wire as comments. */
export function zoneText(zone: Zone): string {
  const lines: string[] = []
  for (const name of [...zone.names()].sort()) {
    const sets = zone.listSets(name)
    if (sets.length === 0) lines.push(`; ${name}. is an empty non-terminal`)
    for (const set of [...sets].sort((a, b) => a.type - b.type)) lines.push(...setLines(set))
  }
  const { negativeSoa } = zone
  lines.push(`; negative answers: ${negativeSoa.name}. ${negativeSoa.ttl} IN SOA`)
  return `${lines.join('\n')}\n`
}

function setLines(set: ZoneSet): string[] {
  const head = `${set.name}. ${set.ttl} IN ${formatType(set.type)}`
  switch (set.kind) {
    case 'fixed':
      return set.rrset.rdata.map((data) => `${head} ${formatRdata(data)}`)
    case 'nodes':
      return [`; ${head} of the nodes`]
    case 'alias':
      return [`; ${head} of ${set.target}.`]
    default:
      return set satisfies never
  }
}
