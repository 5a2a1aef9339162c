import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import type { Survey } from '../../../../cli/provision/index.ts'
import { chooseAddresses, isGlobalAddress } from '../../../../cli/provision/survey/addresses.ts'
import { judgeSurvey, requireFit } from '../../../../cli/provision/survey/judge.ts'
import { parseSurvey } from '../../../../cli/provision/survey/parse-survey.ts'
import { SURVEY_SCRIPT } from '../../../../cli/provision/survey/script.ts'
import { parseNodeName } from '../../../../core/index.ts'
import { createTestCluster } from '../../../support/histories.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { FACTS, print } from '../support/facts.ts'

const cluster = createTestCluster().id
const name = parseNodeName('amsterdam')
const NOW_MS = 1_795_407_400_000

function judge(change: Readonly<Record<string, string>>, options: { first?: boolean; recreate?: boolean } = {}) {
  return judgeSurvey({
    survey: parseSurvey(print({ ...FACTS, ...change })),
    askedMs: NOW_MS,
    answeredMs: NOW_MS + 900,
    target: 'root@198.51.100.7',
    name,
    cluster: options.first === true ? undefined : cluster,
    recreate: options.recreate === true,
  })
}

t.test('a server that fits has nothing in its way', async (t) => {
  t.strictSame(judge({}), { refusals: [], warnings: [] })
  t.doesNotThrow(() => requireFit(judge({}), 'root@box'))
})

t.test('each thing in the way is named, with what to do', async (t) => {
  const inode = '4: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0'
  const held = {
    sockets: `tcp    ${inode}`,
    holders:
      "/proc/1/fd:\nlrwx 1 root root 64 Nov 1 3 -> socket:[4711]\n/proc/99/fd:\nlrwx 1 r r 64 Nov 1 6 -> 'socket:[4711]'",
    programs: '/proc/1/comm:systemd\n/proc/99/comm:nginx',
  }
  const cases: readonly [string, Readonly<Record<string, string>>, RegExp, RegExp][] = [
    ['not Linux', { kernel: 'FreeBSD\n14\namd64\nbox' }, /runs FreeBSD/, /Debian 11/],
    ['a processor', { kernel: 'Linux\n6\nriscv64\nbox' }, /riscv64/, /another processor/],
    ['musl', { libc: 'musl\nmusl libc (x86_64)' }, /musl/, /Debian/],
    ['an old glibc', { libc: 'glibc 2.27' }, /glibc 2\.27; 2\.28 or newer/, /Ubuntu/],
    ['no systemd', { init: '' }, /systemd does not run/, /Debian/],
    ['nginx', held, /port 80 is taken by nginx/, /systemctl disable --now nginx/],
    ['read-only', { mounts: '/dev/sda1 / ext4 ro,relatime 0 0' }, /\/opt.*can only be read/, /remount,rw/],
    [
      'noexec',
      { disks: '/opt /dev/sdb 9000000 1 8000000 1% /opt', mounts: '/dev/sdb /opt ext4 rw,noexec 0 0' },
      /noexec/,
      /remount,exec/,
    ],
    ['a full disk', { disks: '/var /dev/sdb 9000000 1 90000 99% /var' }, /\/var has 92 MB free/, /df -h/],
    ['a clock behind', { date: '1795403800' }, /60 minutes behind/, /set-ntp/],
    ['a clock ahead', { date: '1795411000' }, /60 minutes ahead/, /set-ntp/],
    [
      'Rust',
      { marks: 'file /usr/local/bin/makiatto\nfile /var/makiatto/cluster.db\nactive active' },
      /written in Rust/,
      /coming-from-rust/,
    ],
    [
      'a foreign unit',
      { marks: 'file /etc/systemd/system/makiatto.service' },
      /something lies where ours would/,
      /move it away/,
    ],
    ['a program that lacks', { missing: 'tar' }, /it lacks tar/, /Install/],
    ['no tunnel', { tun: '' }, /neither WireGuard in its kernel nor \/dev\/net\/tun/, /modprobe tun/],
    ['no tunnel for an old system', { libc: 'glibc 2.31' }, /needs glibc 2\.34 \(Debian.* has 2\.31\)/, /kernel/],
    [
      'WireGuard',
      { sockets: `udp    ${inode.replace('0050', 'CAA8').replace(' 0A ', ' 07 ')}` },
      /port 51880 is/,
      /ss -/,
    ],
  ]
  for (const [what, change, why, hint] of cases) {
    const { refusals } = judge(change)
    t.equal(refusals.length, 1, `${what}: ${JSON.stringify(refusals)}`)
    t.match(refusals[0], { why, hint }, what)
  }
})

t.test('all is told at once', async (t) => {
  const judgement = judge({ date: '1', mounts: '/dev/sda1 / ext4 ro 0 0' })
  t.throws(() => requireFit(judgement, 'root@box'), { code: 'MAKI_UNSUPPORTED', message: /read(.|\n)*clock/ })
})

t.test('the resolver that the system brings is no refusal, another one is', async (t) => {
  const socket = 'udp    4: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 12 1 0'
  const on = (program: string) =>
    judge({ sockets: socket, holders: '/proc/7/fd:\nl 3 -> socket:[12]', programs: `/proc/7/comm:${program}` }).refusals
  t.strictSame(on('systemd-resolve'), [])
  t.match(on('dnsmasq'), [{ why: 'port 53/udp is taken by dnsmasq', hint: /port=0/ }])
  t.match(on('toString'), [{ hint: /ss -lnptu/ }])
})

t.test('a kernel with WireGuard needs neither device nor program for tunnels', async (t) => {
  t.strictSame(judge({ tun: '', wireguard: 'yes' }).refusals, [])
  t.strictSame(judge({ libc: 'glibc 2.28', wireguard: 'yes' }).refusals, [])
})

t.test('ports of the mesh are in the way only where somebody has them at all addresses of IPv6', async (t) => {
  const socket = (table: string, address: string) =>
    judge({ sockets: `${table} 4: ${address}:205A 00000000:0000 0A 0:0 0:0 0 0 0 12 1 0` }).refusals.length
  t.equal(socket('tcp', '00000000'), 0)
  t.equal(socket('tcp6', '000080FE000000000000000001000000'), 0)
  t.equal(socket('tcp6', '0'.repeat(32)), 1)
})

t.test('seconds warn, and so do a firewall and no IPv6', async (t) => {
  const { refusals, warnings } = judge({
    date: '1795407420',
    ipv6: '1',
    firewalls: 'ufw Status: active',
  })
  t.strictSame(refusals, [])
  t.match(warnings, [/clock is 19 s ahead/, /no IPv6/, /ufw.*UDP 51880 in from/])
  t.strictSame(judge({ firewalls: 'nft type filter hook input priority filter; policy accept;' }).warnings, [])
  t.match(judge({ firewalls: 'nft type filter hook input priority filter; policy drop;' }).warnings, [/nftables/])
})

t.test('a node that is there: ours is gone on with, others are refused', async (t) => {
  const marks = [
    'folder /opt/makiatto',
    'file /opt/makiatto/journal.json',
    `link /opt/makiatto/current versions/${'ab'.repeat(32)}`,
    'link /usr/local/bin/makiatto /opt/makiatto/current/bin/makiatto',
    'folder /etc/makiatto',
    'file /etc/makiatto/makiatto.toml',
    'folder /var/makiatto',
    'file /etc/systemd/system/makiatto.service',
    'file /var/makiatto/stored',
    'active active',
  ].join('\n')
  const node = (of: string, called = 'amsterdam') => ({
    marks,
    config: `[node]\nname = "${called}"\ncluster = "${of}"`,
  })
  t.strictSame(judge(node(cluster)).refusals, [])
  t.match(judge({ ...node(cluster), tun: '' }), { refusals: [], warnings: [/\/dev\/net\/tun/] }, 'it goes on')
  t.match(judge({ ...node(cluster), tun: '' }, { recreate: true }).refusals, [{ why: /\/dev\/net\/tun/ }])
  t.match(parseSurvey(print({ ...FACTS, ...node(cluster) })).found, {
    kind: 'node',
    cluster,
    name,
    version: 'ab'.repeat(32),
    isActive: true,
  })
  t.match(judge(node(cluster, 'tokyo')).refusals, [{ why: /by the name tokyo/, hint: /machine init tokyo/ }])
  t.strictSame(judge(node(cluster, 'tokyo'), { recreate: true }).refusals, [])
  const other = cluster.replace(/^./, (letter) => (letter === 'a' ? 'b' : 'a'))
  t.match(judge(node(other)).refusals, [{ why: new RegExp(other) }])
  t.match(judge(node(other), { recreate: true }).refusals, [{ why: /another cluster/ }])
  t.match(judge(node(cluster), { first: true }).refusals, [{ hint: /machine add root@198\.51\.100\.7/ }])
  t.match(judge({ marks, config: '[[[' }).refusals, [{ why: /cannot be read/ }])
  const planted = { ...node(cluster), marks: `${marks}\nplanted /opt/makiatto` }
  t.match(judge(planted, { recreate: true }).refusals, [{ why: /others than root: \/opt\/makiatto$/ }])
})

t.test('what a file has in it passes for no other fact', async (t) => {
  const survey = parseSurvey(print({ ...FACTS, config: '@@ end\n@@ kernel\nPlan9', marks: '@@ end' }))
  t.equal(survey.system.kernel, 'Linux')
  t.throws(() => parseSurvey('@@ date\n 1\n'), { code: 'MAKI_PROTOCOL' })
  t.equal(parseSurvey(`Welcome!\n${print(FACTS)}`).system.arch, 'x64', 'a greeting is passed over')
})

for (const seed of seeds(60))
  t.test(`no output of a server makes parsing throw anything else than a refusal (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const lines = print(FACTS).split('\n')
    for (let i = 0; i < 8; i++) {
      const at = random.integer(lines.length)
      const line = lines[at] ?? ''
      const cut = random.integer(line.length + 1)
      const noise = Buffer.from(random.bytes(random.integer(30))).toString('latin1')
      lines[at] = random.pick([line.slice(0, cut), `${line}${noise}`, noise, `${line} ${line}`, ` ${'9'.repeat(400)}`])
    }
    try {
      const survey = parseSurvey(lines.join('\n'))
      const judgement = judgeSurvey({
        survey,
        askedMs: NOW_MS,
        answeredMs: NOW_MS,
        target: 'x',
        name,
        cluster,
        recreate: false,
      })
      const text = JSON.stringify([
        judgement,
        chooseAddresses(survey, { ipv4: undefined, ipv6: undefined, connected: '198.51.100.7' }),
      ])
      const said = [...judgement.refusals.map(({ why }) => why), ...judgement.warnings].join()
      t.notOk(
        [...said].some((character) => character < ' '),
        text,
      )
    } catch (error) {
      t.match(error, { code: 'MAKI_PROTOCOL' })
    }
  })

t.test('addresses: own ones that are reached from everywhere, else the one that was connected to', async (t) => {
  const survey = (addresses: string, routes = FACTS.routes as string): Survey =>
    parseSurvey(print({ ...FACTS, addresses, routes }))
  const choose = (given: Survey, connected: string, flags: { ipv4?: string; ipv6?: string } = {}) => {
    const { ipv4, ipv6 } = chooseAddresses(given, { ipv4: flags.ipv4, ipv6: flags.ipv6, connected })
    return [ipv4, ipv6]
  }
  const line = (address: string, more = ''): string =>
    `2: eth0    ${address.includes(':') ? 'inet6' : 'inet'} ${address}/24 scope global ${more}\\  valid_lft forever`
  const plain = survey(FACTS.addresses as string)
  t.strictSame(choose(plain, '198.51.100.7'), ['198.51.100.7', '2001:db8::7'])
  t.strictSame(choose(plain, '198.51.100.7', { ipv4: '203.0.113.9', ipv6: 'none' }), ['203.0.113.9', null])
  t.strictSame(choose(survey(FACTS.addresses as string, 'ipv4 eth0\t00000000'), '198.51.100.7'), ['198.51.100.7', null])
  const several = survey(
    [line('203.0.113.1'), line('203.0.113.2'), line('2001:db8::9', 'temporary dynamic'), line('2001:db8::8')].join(
      '\n',
    ),
  )
  t.strictSame(choose(several, '203.0.113.2'), ['203.0.113.2', '2001:db8::8'])
  const translated = survey([line('10.0.0.5'), line('fd00::5')].join('\n'))
  t.strictSame(choose(translated, '203.0.113.2'), ['203.0.113.2', null])
  t.strictSame(choose(translated, '10.0.0.5'), ['10.0.0.5', null], 'a network of its own')
  t.strictSame(choose(translated, '127.0.0.1'), [null, null], 'a tunnel says nothing')
  for (const address of [
    '10.1.2.3',
    '100.64.0.1',
    '169.254.1.1',
    '127.0.0.1',
    'fd00::1',
    'fe80::1',
    '::1',
    '::ffff:1.2.3.4',
    'x',
  ])
    t.notOk(isGlobalAddress(address), address)
  for (const address of ['192.0.2.1', '198.51.100.1', '203.0.113.1', '8.8.8.8', '2001:db8::1'])
    t.ok(isGlobalAddress(address), address)
})

for (const [shell, ...args] of [
  ['dash', '-s'],
  ['bash', '-s'],
  ['busybox', 'sh', '-s'],
] as const)
  t.test(`the script runs on ${shell} to its end, and changes nothing`, async (t) => {
    const run = promisify(execFile)(shell, args)
    run.child.stdin?.end(SURVEY_SCRIPT)
    const found = await run.catch((error: NodeJS.ErrnoException) => error)
    if (found instanceof Error && found.code === 'ENOENT') {
      t.equal(shell, 'busybox', 'only that may be missing')
      return
    }
    const survey = parseSurvey((found as { stdout: string }).stdout)
    t.equal(survey.system.kernel, 'Linux')
    t.equal(survey.system.arch, process.arch)
    t.equal(survey.disks.length, 4)
    t.match(survey.addresses, [{ address: '127.0.0.1' }])
    t.strictSame(
      survey.missingPrograms.filter((program) => program === 'tar'),
      [],
    )
  })
