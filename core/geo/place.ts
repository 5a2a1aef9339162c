/** A point on the earth in degrees: latitude from -90 to 90, longitude from -180 to 180. Fields have names, never positions. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
}

/** A point on the unit sphere: what distances are compared by without a sine for each pair. */
export interface UnitVector {
  readonly x: number
  readonly y: number
  readonly z: number
}

/** The mean radius of the earth (IUGG). */
const EARTH_RADIUS_KM = 6371.0088

/** True for numbers within the degrees of a place; what strangers' files say is checked by it. */
export function isPlace(place: { readonly latitude: unknown; readonly longitude: unknown }): place is Place {
  return isWithin(place.latitude, 90) && isWithin(place.longitude, 180)
}

const isWithin = (value: unknown, bound: number): value is number =>
  typeof value === 'number' && value >= -bound && value <= bound

/** Great-circle distance in kilometres, by the haversine formula, which is exact enough for the nearest points too. */
export function distanceKm(a: Place, b: Place): number {
  const latitude = radians(b.latitude - a.latitude)
  const longitude = radians(b.longitude - a.longitude)
  const half =
    Math.sin(latitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(longitude / 2) ** 2
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(half)))
}

/** Equal places give equal vectors. */
export function unitVector({ latitude, longitude }: Place): UnitVector {
  const cosine = Math.cos(radians(latitude))
  return {
    x: cosine * Math.cos(radians(longitude)),
    y: cosine * Math.sin(radians(longitude)),
    z: Math.sin(radians(latitude)),
  }
}

/**
 * The square of the chord through the earth, in radii: it orders pairs as their great-circle distance does, to the metre
 * also where points are close, and costs three multiplications.
 */
export const chordSquared = (a: UnitVector, b: UnitVector): number =>
  (a.x - b.x) ** 2 + (a.y - b.y) ** 2 + (a.z - b.z) ** 2

const radians = (degrees: number): number => (degrees * Math.PI) / 180
