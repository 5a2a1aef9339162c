import type { Facts } from './read-facts.ts'
import type { ListeningSocket } from './survey.ts'

/**
 * Who listens on the ports that were looked for, from the kernel's tables (proc_pid_net(5): addresses in hexadecimal, each
 * 32 bits in the byte order of the processor, here little-endian) and from what processes have open.
 */
export function parseSockets(facts: Facts): readonly ListeningSocket[] {
  const programs = parsePrograms(facts.get('programs') ?? [])
  const holders = parseHolders(facts.get('holders') ?? [], programs)
  const sockets: ListeningSocket[] = []
  for (const line of facts.get('sockets') ?? []) {
    const [table = '', , local = '', , , , , , , , inode = ''] = line.trim().split(/\s+/)
    const protocol = /^(tcp|udp)6?$/.exec(table)?.[1] as 'tcp' | 'udp' | undefined
    const place = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local)
    if (protocol === undefined || place === null) continue
    const [, address = '', port = ''] = place
    sockets.push({
      protocol,
      address: parseAddress(address),
      port: Number.parseInt(port, 16),
      program: holders.get(inode),
    })
  }
  return sockets
}

/** `/proc/12/comm:sshd`. */
function parsePrograms(lines: readonly string[]): ReadonlyMap<string, string> {
  const programs = new Map<string, string>()
  for (const line of lines) {
    const [, pid, name] = /^\/proc\/(\d+)\/comm:(.{1,64})$/.exec(line) ?? []
    if (pid !== undefined && name !== undefined) programs.set(pid, name)
  }
  return programs
}

/** Inode of a socket -> program, as `ls -l /proc/PID/fd` has them: `/proc/12/fd:`, then `... -> socket:[3456]`. */
function parseHolders(lines: readonly string[], programs: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const holders = new Map<string, string>()
  let program: string | undefined
  for (const line of lines) {
    const pid = /^\/proc\/(\d+)\/fd:$/.exec(line)?.[1]
    if (pid !== undefined) program = programs.get(pid)
    const inode = / -> '?socket:\[(\d+)\]'?$/.exec(line)?.[1]
    // The process that has the number 1 opens sockets for others, which have them, too.
    if (inode === undefined || program === undefined) continue
    if (!holders.has(inode) || holders.get(inode) === 'systemd') holders.set(inode, program)
  }
  return holders
}

function parseAddress(hex: string): string {
  const octets = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse())
  if (octets.length === 4) return octets.map((octet) => Number.parseInt(octet, 16)).join('.')
  const text = Array.from({ length: 8 }, (_, i) => `${octets[2 * i]}${octets[2 * i + 1]}`.toLowerCase()).join(':')
  // The shortest form, as `URL` writes it.
  return (URL.parse(`http://[${text}]`)?.hostname ?? text).replace(/^\[|\]$/g, '')
}
