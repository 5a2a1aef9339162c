/**
 * Names that no public authority certifies: RFC 6761 (`localhost`, `test`, `invalid`), RFC 6762 (`local`), RFC 7686 (`onion`),
 * RFC 9476 (`alt`), ICANN's `internal`; under `arpa` lie reverse zones and RFC 8375's `home.arpa`.
 */
const PRIVATE = new Set(['localhost', 'test', 'invalid', 'local', 'onion', 'alt', 'internal', 'arpa'])

/** False for names that mean something else everywhere, so that no public authority certifies them. Pure. */
export function isPublicName(name: string): boolean {
  const last = name.slice(name.lastIndexOf('.') + 1)
  return last !== name && last !== '' && !PRIVATE.has(last) && !/^[0-9]+$/.test(last)
}
