/** A point on the earth in degrees: latitude from -90 to 90, longitude from -180 to 180. Fields have names, never positions. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
}

/** The mean radius of the earth (IUGG). */
const EARTH_RADIUS_KM = 6371.0088

/** Great-circle distance in kilometres, by the haversine formula, which is exact enough for the nearest points too. */
export function distanceKm(a: Place, b: Place): number {
  const latitude = radians(b.latitude - a.latitude)
  const longitude = radians(b.longitude - a.longitude)
  const half =
    Math.sin(latitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(longitude / 2) ** 2
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(half)))
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180
