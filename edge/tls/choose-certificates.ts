/** What the choice of a certificate rests on. */
export interface Candidate {
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** `ec`, `rsa`, `ed25519`. */
  readonly keyType: string
}

/**
 * Which certificates are shown for a host, at most one for each type of key, from which the client's abilities choose: valid ones
 * before others, those of the very name before those of a wildcard, and of these the newest. Where none is valid the one
 * that was valid last is shown all the same: browsers then say what is wrong, and their owner can go on. Pure.
 */
export function chooseCertificates<T extends Candidate>(
  exact: readonly T[],
  wildcard: readonly T[],
  nowMs: number,
): readonly T[] {
  for (const group of [exact, wildcard]) {
    const valid = group.filter((one) => isValid(one, nowMs))
    if (valid.length > 0) return newestOfEachType(valid)
  }
  const group = exact.length > 0 ? exact : wildcard
  if (group.length === 0) return []
  return [group.reduce((last, one) => (one.notAfterMs > last.notAfterMs ? one : last))]
}

/** RFC 5280 section 4.1.2.5: from and to, both included. */
export const isValid = ({ notBeforeMs, notAfterMs }: Omit<Candidate, 'keyType'>, nowMs: number): boolean =>
  notBeforeMs <= nowMs && nowMs <= notAfterMs

function newestOfEachType<T extends Candidate>(valid: readonly T[]): readonly T[] {
  const newest = new Map<string, T>()
  for (const one of valid) {
    const other = newest.get(one.keyType)
    if (other === undefined || isNewer(one, other)) newest.set(one.keyType, one)
  }
  return [...newest.values()]
}

function isNewer(a: Candidate, b: Candidate): boolean {
  return a.notBeforeMs === b.notBeforeMs ? a.notAfterMs > b.notAfterMs : a.notBeforeMs > b.notBeforeMs
}
