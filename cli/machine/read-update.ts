import { isIPv4, isIPv6 } from 'node:net'
import { MakiError } from '../../core/index.ts'

/** What is to be changed of a machine; what is absent stays. */
export interface MachineUpdate {
  readonly sshTarget?: string
  readonly port?: number
  /** Null takes the address away. */
  readonly ipv4?: string | null
  readonly ipv6?: string | null
  /** Degrees. */
  readonly latitude?: number
  readonly longitude?: number
  readonly nameserver?: boolean
  /** Where others reach its WireGuard, as it was typed: `readNodeEndpoint` reads it. */
  readonly endpoint?: string
}

/** The flags of `maki machine set`, as they were typed. */
export interface UpdateFlags {
  readonly 'ssh-target'?: string | undefined
  readonly port?: number | undefined
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
  readonly lat?: string | undefined
  readonly lon?: string | undefined
  readonly ns?: boolean | undefined
  readonly endpoint?: string | undefined
}

/** The word that takes an address away. */
const NONE = 'none'

/** Reads the flags. Throws MAKI_USAGE for what is no address, place or port, and where nothing is to be changed. Pure. */
export function readUpdate(flags: UpdateFlags): MachineUpdate {
  const { port, ns, endpoint } = flags
  const sshTarget = flags['ssh-target']
  const update: MachineUpdate = {
    ...(sshTarget === undefined ? {} : { sshTarget }),
    ...(port === undefined ? {} : { port }),
    ...(flags.ipv4 === undefined ? {} : { ipv4: readAddress(flags.ipv4, 'ipv4') }),
    ...(flags.ipv6 === undefined ? {} : { ipv6: readAddress(flags.ipv6, 'ipv6') }),
    ...(flags.lat === undefined ? {} : { latitude: readDegrees(flags.lat, '--lat', 90) }),
    ...(flags.lon === undefined ? {} : { longitude: readDegrees(flags.lon, '--lon', 180) }),
    ...(ns === undefined ? {} : { nameserver: ns }),
    ...(endpoint === undefined ? {} : { endpoint }),
  }
  if (Object.keys(update).length > 0) return update
  throw new MakiError('MAKI_USAGE', 'nothing is to be changed: no flag says what', {
    hint: 'maki machine set --help',
  })
}

/** IPv6 in the form of RFC 5952, so that one address is one text. */
function readAddress(text: string, family: 'ipv4' | 'ipv6'): string | null {
  if (text.toLowerCase() === NONE) return null
  if (family === 'ipv4' && isIPv4(text)) return text
  if (family === 'ipv6' && isIPv6(text) && !text.includes('%')) return canonicalIpv6(text)
  throw new MakiError(
    'MAKI_USAGE',
    `--${family} ${JSON.stringify(text)} is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`,
    {
      hint: `Like --${family} ${family === 'ipv4' ? '203.0.113.7' : '2001:db8::7'}; --${family} ${NONE} takes it away.`,
    },
  )
}

/** One text for every way to write an IPv6 address. */
export const canonicalIpv6 = (text: string): string => new URL(`http://[${text}]`).hostname.slice(1, -1)

function readDegrees(text: string, flag: string, most: number): number {
  const degrees = /^[+-]?\d{1,3}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (Math.abs(degrees) <= most) return degrees
  throw new MakiError(
    'MAKI_USAGE',
    `${flag} ${JSON.stringify(text)} is no number of degrees from -${most} to ${most}`,
    {
      hint: `Like ${flag} 52.37; north and east are positive.`,
    },
  )
}
