import { isIP } from 'node:net'
import { userInfo } from 'node:os'
import { MakiError } from '../../core/index.ts'
import type { SshTarget } from './ssh-host.ts'

const SSH_PORT = 22
const LONGEST_USER = 64
const LONGEST_NAME = 253

/** What SSH servers take for a user; a leading dash would be an option to programs on the way. */
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@\\$-]*$/
const LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$/

/**
 * Reads `USER@HOST`, where the host is a name, an IPv4 address, or an IPv6 address with or without brackets; without `USER@`
 * it is the user of this computer. Throws MAKI_USAGE for everything else.
 */
export function parseSshTarget(text: string, port: number = SSH_PORT): SshTarget {
  const at = text.lastIndexOf('@')
  const user = at === -1 ? userInfo().username : text.slice(0, at)
  if (user.length > LONGEST_USER || !USER.test(user))
    throw refuse(text, at === 0 ? 'it has no user' : 'its user cannot be')
  if (!Number.isSafeInteger(port) || port < 1 || port > 65535) throw refuse(text, `its port ${port} cannot be`)
  return { user, host: parseHost(text, text.slice(at + 1)), port }
}

/** As `parseSshTarget` reads it; the port only where it is another than 22. */
export function formatSshTarget({ user, host, port }: SshTarget): string {
  const place = isIP(host) === 6 || host.includes(':') ? `[${host}]` : host
  return `${user}@${place}${port === SSH_PORT ? '' : `:${port}`}`
}

function parseHost(text: string, place: string): string {
  if (place === '') throw refuse(text, 'it has no host')
  const bracketed = /^\[(.*)\](.*)$/.exec(place)
  if (bracketed !== null) {
    const [, inner = '', rest = ''] = bracketed
    if (rest.startsWith(':')) throw refuse(text, 'a port stands in it', 'Give the port with --port.')
    if (rest !== '' || !isIpv6(inner)) throw refuse(text, 'what stands in brackets is no IPv6 address')
    return inner
  }
  if (isIP(place) === 4 || isIpv6(place)) return place
  if (/^[^:]+:\d+$/.test(place)) throw refuse(text, 'a port stands in it', 'Give the port with --port.')
  if (/^[\d.]+$/.test(place)) throw refuse(text, `${place} is no IPv4 address`)
  const name = place.endsWith('.') ? place.slice(0, -1) : place
  const isName =
    name.length <= LONGEST_NAME && name.split('.').every((label) => label.length <= 63 && LABEL.test(label))
  if (!isName) throw refuse(text, `${JSON.stringify(place)} is neither a name nor an address`)
  return place
}

/** With a zone (`fe80::1%eth0`), too. */
function isIpv6(text: string): boolean {
  return isIP(text) === 6
}

function refuse(
  text: string,
  why: string,
  hint = 'It looks like root@203.0.113.7, admin@web.example.org or root@2001:db8::7.',
) {
  return new MakiError('MAKI_USAGE', `${JSON.stringify(text)} is nothing to reach over SSH: ${why}`, { hint })
}
