// The Debian packages that tests need. Without dependencies, since the system's Node runs it.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A package, the command or the file by which we know that it is there, and why it is wanted. */
const PACKAGES = [
  { name: 'bind9-dnsutils', command: 'dig', reason: 'answers are read by the reference resolver tool' },
  { name: 'knot-dnsutils', command: 'kdig', reason: 'a second, independent reader of answers' },
  { name: 'curl', command: 'curl', reason: 'ranges, conditionals and control sockets as users try them' },
  { name: 'rsync', command: 'rsync', reason: 'the benchmark of `sync` compares with it' },
  { name: 'procps', command: 'ps', reason: 'end-to-end tests look for processes left behind' },
  { name: 'git', command: 'git', reason: 'end-to-end tests work in a fresh clone' },
  { name: 'gcc', command: 'cc', reason: 'the layer that shows what a power cut leaves is written in C' },
  { name: 'libc6-dev', file: '/usr/include/stdio.h', reason: 'so is it compiled' },
  { name: 'knot', command: 'knotd', reason: 'another name server is asked the same questions about the same zone' },
  { name: 'knot-dnssecutils', command: 'kzonecheck', reason: 'a second opinion on zones that we write' },
  { name: 'bind9-utils', command: 'named-checkzone', reason: 'zones that we write are read by others' },
  { name: 'unbound', command: 'unbound', reason: 'a real resolver finds its way to the nodes' },
  { name: 'zonemaster-cli', command: 'zonemaster-cli', reason: 'what registries check of a delegation is checked' },
  { name: 'dnsperf', command: 'dnsperf', reason: 'zones change while questions pour in' },
  { name: 'iproute2', command: 'ip', reason: 'nodes get networks of their own' },
  { name: 'chromium', command: 'chromium', reason: 'sites are used as visitors use them, with a browser' },
  { name: 'fonts-dejavu-core', file: '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf', reason: 'which wants a font' },
  { name: 'openssl', command: 'openssl', reason: 'handshakes and certificates are looked at from outside' },
  { name: 'pebble', command: 'pebble', reason: 'a certificate authority is asked for certificates' },
  { name: 'testssl.sh', command: 'testssl', reason: 'and searched for weaknesses' },
  { name: 'nghttp2-client', command: 'h2load', reason: 'so is HTTP/2' },
  { name: 'openssh-client', command: 'ssh-keygen', reason: 'hosts have keys' },
  { name: 'openssh-server', command: 'sshd', reason: 'and are reached by SSH' },
  { name: 'mmdebstrap', command: 'mmdebstrap', reason: 'servers are made of Debian' },
  { name: 'systemd-container', command: 'systemd-nspawn', reason: 'and boot with systemd' },
  { name: 'nftables', command: 'nft', reason: 'and these are cut' },
  {
    name: 'wireguard-go',
    command: 'wireguard-go',
    reason: 'nodes form an encrypted network, also where the kernel has no WireGuard',
  },
  { name: 'wireguard-tools', command: 'wg', reason: 'which is looked at from outside' },
  { name: 'qemu-system-x86', command: 'qemu-system-x86_64', reason: 'so is that of a kernel, which boots for it' },
]

/** Installs what is missing when root on Debian or Ubuntu; elsewhere says which tests will be skipped, and why. */
export function installTestPackages() {
  const missing = PACKAGES.filter((entry) => !isHere(entry))
  if (missing.length === 0) return
  const names = missing.map((entry) => entry.name)
  const why = missing.map((entry) => `  ${entry.name}: ${entry.reason}`).join('\n')
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`Some tests will be skipped, for want of:\n${why}\nOn Debian or Ubuntu, type: sudo ${command}`)
    return
  }
  say(`Installing what tests need:\n${why}`)
  apt(['update', '-q'])
  const result = withoutStarting(() => apt(['install', '-y', '-q', '--no-install-recommends', ...names]))
  const still = missing.filter((entry) => !isHere(entry))
  if (still.length === 0) return
  say(`${result.stderr}\nThese packages could not be installed: ${still.map((entry) => entry.name).join(', ')}.
The tests that need them will be skipped. To try again, type: ${command}`)
}

/** Asked by Debian's packages whether a service may start (deb-systemd-invoke(1p)). */
const POLICY = '/usr/sbin/policy-rc.d'

/** A name server that is installed for tests must not begin to serve this machine. */
function withoutStarting(install) {
  if (existsSync(POLICY)) return install()
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(POLICY, { force: true })
  }
}

/** Runs apt-get without questions, waiting for another one that runs. */
export function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], { env, encoding: 'utf8' })
}

const isHere = ({ command, file }) => (file === undefined ? isOnPath(command) : existsSync(file))

function isOnPath(command) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  return folders.some((folder) => folder !== '' && existsSync(join(folder, command)))
}

function say(text) {
  process.stderr.write(`${text}\n`)
}
