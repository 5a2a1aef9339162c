import { SERVER_PORTS } from '../../setup/index.ts'
import type { Refusal } from './judge-input.ts'
import type { ListeningSocket, Survey } from './survey.ts'

interface Needed {
  readonly port: number
  readonly protocols: readonly ListeningSocket['protocol'][]
  /** It is had at an address of the mesh alone: only who has it at all addresses of IPv6 is in the way. */
  readonly isOfMesh?: true
}

const NEEDED: readonly Needed[] = [
  { port: SERVER_PORTS.dns, protocols: ['udp', 'tcp'] },
  { port: SERVER_PORTS.http, protocols: ['tcp'] },
  { port: SERVER_PORTS.https, protocols: ['tcp'] },
  { port: SERVER_PORTS.wireguard, protocols: ['udp'] },
  { port: SERVER_PORTS.gossip, protocols: ['tcp'], isOfMesh: true },
  { port: SERVER_PORTS.blobs, protocols: ['tcp'], isOfMesh: true },
]

/** Its stub on port 53 is freed when the server is set up; the kernel keeps 15 characters of a name. */
const RESOLVED = 'systemd-resolve'

/** What is known of programs that have these ports on many servers. */
const WAYS: Readonly<Record<string, string>> = {
  nginx: 'systemctl disable --now nginx, or have it listen on other ports',
  apache2: 'systemctl disable --now apache2, or have it listen on other ports',
  httpd: 'systemctl disable --now httpd, or have it listen on other ports',
  caddy: 'systemctl disable --now caddy, or have it listen on other ports',
  lighttpd: 'systemctl disable --now lighttpd, or have it listen on other ports',
  named: 'systemctl disable --now named',
  dnsmasq: 'systemctl disable --now dnsmasq, or with port=0 in its configuration it answers no DNS',
  unbound: 'systemctl disable --now unbound, and see that /etc/resolv.conf names another resolver',
  pihole: 'move Pi-hole to another server',
  'docker-proxy': 'publish the container on other ports: docker ps shows it',
}

/** Ports that somebody else has. A resolver that the system brings is none of them. */
export function listPortRefusals({ sockets }: Pick<Survey, 'sockets'>): readonly Refusal[] {
  const taken = new Map<string, { ports: Set<string>; program: string | undefined }>()
  for (const { port, protocols, isOfMesh = false } of NEEDED) {
    for (const socket of sockets) {
      if (socket.port !== port || !protocols.includes(socket.protocol)) continue
      if (port === SERVER_PORTS.dns && socket.program === RESOLVED) continue
      if (isOfMesh && socket.address !== '::') continue
      const key = socket.program ?? `port ${port}`
      const entry = taken.get(key) ?? { ports: new Set<string>(), program: socket.program }
      entry.ports.add(port === SERVER_PORTS.dns ? `${port}/${socket.protocol}` : `${port}`)
      taken.set(key, entry)
    }
  }
  return [...taken.values()].map(({ ports, program }) => {
    const list = [...ports].join(', ')
    const which = ports.size === 1 ? `port ${list} is taken` : `the ports ${list} are taken`
    const [port] = list.split(/[/,]/)
    return {
      why: `${which} by ${program ?? 'a program that could not be found out'}`,
      hint:
        (program !== undefined && Object.hasOwn(WAYS, program) ? WAYS[program] : undefined) ??
        `See what it is with: ss -lnptu 'sport = :${port}'; stop it, or move it.`,
    }
  })
}
