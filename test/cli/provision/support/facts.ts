import { systemRuntime } from '../../../../cli/system.ts'

/** What a server that fits prints. */
export const FACTS: Readonly<Record<string, string>> = {
  date: '1795407400',
  kernel: 'Linux\n6.1.0-9-amd64\nx86_64\nbox',
  release: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian',
  libc: 'glibc 2.36\nldd (Debian GLIBC 2.36-9) 2.36',
  init: 'systemd 252 (252.39-1~deb12u2)',
  sockets: '',
  holders: '',
  programs: '',
  addresses: [
    '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever',
    '2: eth0    inet 198.51.100.7/24 brd 198.51.100.255 scope global eth0\\       valid_lft forever',
    '2: eth0    inet6 2001:db8::7/64 scope global \\       valid_lft forever',
    '2: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever',
  ].join('\n'),
  routes: `ipv4 eth0\t00000000\t010200C0\nipv6 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe80 0400     eth0`,
  ipv6: '0',
  tun: 'yes',
  wireguard: '',
  disks: ['/opt', '/var', '/etc', '/usr/local/bin'].map((p) => `${p} /dev/sda1 9000000 1000 8000000 1% /`).join('\n'),
  mounts: '/dev/sda1 / ext4 rw,relatime 0 0',
  resolver: 'inactive\nfile\nnameserver 192.0.2.53',
  firewalls: '',
  selinux: '',
  marks: 'active inactive',
  config: '',
  missing: '',
}

/** As the script prints it. */
export const print = (facts: Readonly<Record<string, string>>): string =>
  `${Object.entries(facts)
    .map(([fact, text]) => `@@ ${fact}\n${text === '' ? '' : text.replace(/^/gm, ' ')}\n\n`)
    .join('')}@@ end\n`

/** The same of a server at another address, whose clock is right, with changes. */
export const printFacts = (address: string, change: Readonly<Record<string, string>> = {}): string =>
  print({
    ...FACTS,
    date: String(Math.floor(systemRuntime.now() / 1000)),
    addresses: `2: eth0    inet ${address}/24 scope global eth0\\  valid_lft forever`,
    ...change,
  })
