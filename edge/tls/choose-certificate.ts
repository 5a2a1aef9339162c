/** What the choice of a certificate rests on. */
export interface Candidate {
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** `ec`, `rsa`, `ed25519`. */
  readonly keyType: string
}

/** All that speak what we do know ECDSA, and it costs a tenth of RSA; no browser knows Ed25519 (RFC 8422 section 5.10). */
const PREFERRED: readonly string[] = ['ec', 'rsa']

/**
 * Which certificate is shown for a host: a valid one before others, one of the very name before one of a wildcard, ECDSA
 * before RSA, and of these the newest. Where none is valid the one that was valid last is shown all the same: browsers
 * then say what is wrong, and their owner can go on. Pure.
 *
 * Only one, for node sets no more than one of a context that was found by name, whatever the client could read.
 */
export function chooseCertificate<T extends Candidate>(
  exact: readonly T[],
  wildcard: readonly T[],
  nowMs: number,
): T | undefined {
  for (const group of [exact, wildcard]) {
    const valid = group.filter((one) => isValid(one, nowMs))
    if (valid.length > 0) return best(valid, isBetter)
  }
  return best(exact.length > 0 ? exact : wildcard, (a, b) => a.notAfterMs > b.notAfterMs)
}

/** RFC 5280 section 4.1.2.5: from and to, both included. */
export const isValid = ({ notBeforeMs, notAfterMs }: Omit<Candidate, 'keyType'>, nowMs: number): boolean =>
  notBeforeMs <= nowMs && nowMs <= notAfterMs

function isBetter(a: Candidate, b: Candidate): boolean {
  const [rankA, rankB] = [rankOf(a), rankOf(b)]
  if (rankA !== rankB) return rankA < rankB
  return a.notBeforeMs === b.notBeforeMs ? a.notAfterMs > b.notAfterMs : a.notBeforeMs > b.notBeforeMs
}

function rankOf({ keyType }: Candidate): number {
  const rank = PREFERRED.indexOf(keyType)
  return rank === -1 ? PREFERRED.length : rank
}

function best<T>(group: readonly T[], isBetterThan: (a: T, b: T) => boolean): T | undefined {
  let found = group[0]
  for (const one of group) if (found !== undefined && isBetterThan(one, found)) found = one
  return found
}
