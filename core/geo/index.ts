export { distanceKm, type Place } from './place.ts'
