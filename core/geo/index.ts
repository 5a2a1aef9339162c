export { chordSquared, distanceKm, isPlace, type Place, type UnitVector, unitVector } from './place.ts'
