/**
 * An address as `Asker` has it: an IPv4 address that came over an IPv6 socket is IPv4 (RFC 4291 section 2.5.5.2), a zone
 * is left out.
 */
export function plainAddress(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length)
  const zone = address.indexOf('%')
  return zone === -1 ? address : address.slice(0, zone)
}
