import { isIP } from 'node:net'
import { plainLine } from '../../output/text.ts'
import { parseFound } from './parse-found.ts'
import { parseSockets } from './parse-sockets.ts'
import { type Facts, readFacts } from './read-facts.ts'
import type { Disk, Firewall, InterfaceAddress, Survey } from './survey.ts'

const ARCHITECTURES: Readonly<Record<string, Survey['system']['arch']>> = { x86_64: 'x64', aarch64: 'arm64' }
const MAX_WORD = 100

/** Reads what the script printed on a server, which is a stranger's: what cannot be read is not known. Throws MAKI_PROTOCOL. */
export function parseSurvey(output: string): Survey {
  const facts = readFacts(output)
  const first = (name: string): string => facts.get(name)?.[0] ?? ''
  const [kernel = '', kernelRelease = '', machine = '', hostname = ''] = (facts.get('kernel') ?? []).map(word)
  const seconds = /^\d{1,12}$/.exec(first('date'))?.[0]
  const [resolved = '', link = '', ...resolvConf] = facts.get('resolver') ?? []
  return {
    system: {
      kernel,
      kernelRelease,
      machine,
      arch: Object.hasOwn(ARCHITECTURES, machine) ? ARCHITECTURES[machine] : undefined,
      name: parseName(facts.get('release') ?? []),
      libc: parseLibc(facts.get('libc') ?? []),
      systemd: parseNumber(/^systemd (\d{1,5})\b/.exec(first('init'))?.[1]),
      hostname,
    },
    clockMs: seconds === undefined ? undefined : Number(seconds) * 1000,
    sockets: parseSockets(facts),
    addresses: (facts.get('addresses') ?? []).flatMap(parseInterfaceAddress),
    routes: {
      ipv4: (facts.get('routes') ?? []).some((line) => line.startsWith('ipv4 ')),
      ipv6: (facts.get('routes') ?? []).some((line) => line.startsWith('ipv6 ') && !/\slo\s*$/.test(line)),
    },
    hasIpv6: first('ipv6') === '0',
    hasTun: first('tun') === 'yes',
    hasKernelWireguard: first('wireguard') === 'yes',
    disks: parseDisks(facts),
    resolver: {
      resolved: resolved === 'active',
      stub:
        /(^|\/)stub-resolv\.conf$/.test(link) || resolvConf.some((line) => /^nameserver\s+127\.0\.0\.53\b/.test(line)),
      resolvConf: word(link),
    },
    firewalls: parseFirewalls(facts.get('firewalls') ?? []),
    selinux: first('selinux') === '1' ? 'enforcing' : first('selinux') === '0' ? 'permissive' : 'off',
    found: parseFound(facts),
    missingPrograms: (facts.get('missing') ?? []).slice(0, 20).map(word).filter(Boolean),
  }
}

const word = (text: string): string => plainLine(text.trim()).slice(0, MAX_WORD)

const parseNumber = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))

function parseName(release: readonly string[]): string {
  const line = release.find((one) => one.startsWith('PRETTY_NAME=')) ?? release.find((one) => one.startsWith('ID='))
  return word((line ?? '').replace(/^[A-Z_]+=/, '').replace(/^(["'])(.*)\1$/, '$2')) || 'an unknown system'
}

function parseLibc(lines: readonly string[]): Survey['system']['libc'] {
  for (const line of lines) {
    const version = /^(?:glibc |ldd \(.*\) )(\d{1,3}\.\d{1,3})/.exec(line)?.[1]
    if (version !== undefined) return { kind: 'glibc', version }
  }
  return { kind: lines.some((line) => /musl/i.test(line)) ? 'musl' : 'unknown', version: undefined }
}

/** `2: eth0    inet6 2001:db8::1/64 scope global temporary dynamic`, a line of /proc/net/if_inet6, or of `hostname -I`. */
function parseInterfaceAddress(line: string): InterfaceAddress[] {
  const shown =
    /^\d+:\s+(\S{1,32})\s+inet6?\s+([0-9A-Fa-f.:]{2,45})(?:\/\d+|\s+peer\s+\S+)?\s.*?scope\s+(\S+)(.*)$/.exec(line)
  if (shown !== null) {
    const [, name = '', address = '', scope = '', flags = ''] = shown
    if (isIP(address) === 0) return []
    return [
      {
        interface: word(name),
        address,
        scope: word(scope),
        isTemporary: /\b(temporary|deprecated|tentative)\b/.test(flags),
      },
    ]
  }
  if (line.startsWith('hostname ')) {
    const addresses = line.split(/\s+/).slice(1, 100)
    return addresses
      .filter((address) => isIP(address) === 4)
      .map((address) => ({ interface: '', address, scope: 'global', isTemporary: false }))
  }
  const [, hex, scope, name] = /^([0-9a-f]{32}) \S+ \S+ (\S\S) \S+\s+(\S{1,32})$/.exec(line) ?? []
  if (hex === undefined || name === undefined) return []
  const address = URL.parse(`http://[${hex.match(/.{4}/g)?.join(':')}]`)?.hostname.replace(/^\[|\]$/g, '')
  if (address === undefined) return []
  return [{ interface: word(name), address, scope: scope === '00' ? 'global' : 'link', isTemporary: false }]
}

/** By the mount that a path lies on: `/opt /dev/sda1 1000 500 400 56% /`. */
function parseDisks(facts: Facts): readonly Disk[] {
  const mounts = new Map<string, readonly string[]>()
  for (const line of facts.get('mounts') ?? []) {
    const [, folder = '', , options = ''] = line.split(' ')
    // The last one lies above those before.
    mounts.set(folder, options.split(','))
  }
  return (facts.get('disks') ?? []).flatMap((line) => {
    const [path = '', , , , free = '', , ...folder] = line.trim().split(/\s+/)
    if (!path.startsWith('/')) return []
    const options = mounts.get(folder.join(' ')) ?? []
    return [
      {
        path: word(path),
        freeBytes: /^\d{1,15}$/.test(free) ? Number(free) * 1024 : undefined,
        isReadOnly: options.includes('ro'),
        isNoexec: options.includes('noexec'),
      },
    ]
  })
}

function parseFirewalls(lines: readonly string[]): readonly Firewall[] {
  const found: Firewall[] = []
  if (lines.some((line) => /^ufw Status: active/.test(line))) found.push('ufw')
  if (lines.some((line) => /^firewalld running/.test(line))) found.push('firewalld')
  if (found.length > 0) return found
  // A chain that lets all through until a rule says otherwise is a firewall only where one does.
  const hooks = lines.some((line) => /^nft .*hook input/.test(line))
  const refuses = lines.some((line) => /^nft .*(policy (drop|reject)|\b(drop|reject)\b)/.test(line))
  if (hooks && refuses) found.push('nftables')
  if (lines.some((line) => /^iptables (-P INPUT (DROP|REJECT)|-A INPUT .*-j (DROP|REJECT))/.test(line)))
    found.push('iptables')
  return found
}
