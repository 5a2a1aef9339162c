export { type BuiltZone, buildZone, listReplaced, type ZoneFault } from './build-zone.ts'
export { DnsProjection } from './projection.ts'
export { type Lookup, lookUp, type Zone, ZoneTable } from './zone-table.ts'
