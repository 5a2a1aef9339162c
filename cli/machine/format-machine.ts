/** Degrees with their hemispheres: `52.37 N 4.90 E`. */
export function formatCoordinates({ latitude, longitude }: { latitude: number; longitude: number }): string {
  const part = (degrees: number, [plus, minus]: readonly [string, string]) =>
    `${Math.abs(degrees).toFixed(2)} ${degrees < 0 ? minus : plus}`
  return `${part(latitude, ['N', 'S'])} ${part(longitude, ['E', 'W'])}`
}
