import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { createCluster } from '../../cli/client/create-cluster.ts'
import { writeProfile } from '../../cli/config/index.ts'
import { systemRuntime } from '../../cli/system.ts'
import { seeds } from '../support/seeds.ts'
import {
  BareHosts,
  compareListings,
  listServer,
  type Operator,
  restoreClock,
  shiftClock,
  useResolved,
} from './support/bare-hosts.ts'
import type { BootedHost } from './support/booted-hosts.ts'
import { type Outcome, Scene } from './support/scene.ts'
import { atRest, initServer, makeBundle } from './support/servers.ts'

/**
 * What goes wrong while a server becomes a node, made on real servers: each time it is said what and what to do, and the
 * server and the profile are as they were before. One that is as it was is one that can be set up: that is shown at the end,
 * on the server that all of it was done to.
 */

t.setTimeout(0)
// Mostly waits: for servers.
/** Those that change nothing on the server do not wait for each other. */
const AT_ONCE = 3
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const hosts = await BareHosts.open(scene, ['one', 'two'])
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const [one, two] = [hosts.host('one'), hosts.host('two')]
const bundle = await makeBundle(operator)
// As on most servers: its stub has port 53, and names resolve by it.
await useResolved(one)
await one.run('sh', '-c', 'echo plain:plain-password | chpasswd')
const clean = await listServer(one)

const said = ({ stdout, stderr }: Outcome): string => `${stdout}${stderr}`
const otherKey = scene.path('other-key')
execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', otherKey])

/** What is refused. */
interface Refused {
  readonly name: string
  readonly code: number
  /** What is wrong, and the way out. */
  readonly says: readonly RegExp[]
}

/** What somebody types wrong, or has not: at a computer of his own, which has no profile yet. */
interface Mistake extends Refused {
  readonly run: (who: Operator) => Promise<Outcome>
}

/** What is wrong with the server, when `machine init one root@…` is typed. */
interface Fault extends Refused {
  readonly make: () => Promise<unknown>
  readonly mend: () => Promise<unknown>
}

function checkRefused(t: Test, { name, code, says }: Refused, outcome: Outcome): void {
  t.equal(outcome.code, code, `${name}: ${said(outcome)}`)
  for (const text of says) t.match(said(outcome), text, name)
}

/** Makes all of them, some at once, each by a person of his own. */
async function makeMistakes(t: Test, mistakes: readonly Mistake[]): Promise<readonly Operator[]> {
  const queue = [...mistakes]
  const people: Operator[] = []
  const work = async (): Promise<void> => {
    for (let mistake = queue.shift(); mistake !== undefined; mistake = queue.shift()) {
      const who = hosts.addOperator(`person-${++persons}`)
      people.push(who)
      checkRefused(t, mistake, await mistake.run(who))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return people
}
let persons = 0

/** Something that is no node has a port. */
function occupy(unit: string, ...socket: readonly string[]): Pick<Fault, 'make' | 'mend'> {
  const command = ['systemd-socket-activate', ...socket, '--inetd', '-a', '/bin/cat']
  return {
    make: () => one.run('systemd-run', '--quiet', '--collect', `--unit=${unit}`, ...command),
    mend: () => one.run('systemctl', 'stop', unit),
  }
}

/** Another disk stands where ours would write. */
function mountOver(path: string, options: string): Pick<Fault, 'make' | 'mend'> {
  return {
    make: () => one.run('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', path),
    mend: async () => {
      const held = await one.run('find', path, '-mindepth', '1')
      await one.run('umount', path)
      if (held !== '') throw new Error(`on that disk was left: ${held}`)
    },
  }
}

/** What the superuser may not do either, as where SELinux has its say. */
function forbid(path: string): Pick<Fault, 'make' | 'mend'> {
  return { make: () => one.run('chattr', '+i', path), mend: () => one.run('chattr', '-i', path) }
}

const init = (user: string, ...flags: readonly string[]) => ['machine', 'init', 'one', `${user}@${one.ipv4}`, ...flags]

/** Marks of the Makiatto that was written in Rust, as its `machine init` leaves them. */
async function installRust(host: BootedHost): Promise<void> {
  await host.write('/usr/local/bin/makiatto', '#!/bin/sh\necho makiatto 0.6.0\n', '755')
  await host.write('/etc/makiatto.toml', '[node]\nname = "one"\ndata_dir = "/var/makiatto"\nis_nameserver = true\n')
  await host.write(
    '/etc/systemd/system/makiatto.service',
    '[Unit]\nDescription=Makiatto CDN\n[Service]\nExecStart=/usr/local/bin/makiatto\n',
  )
  await host.write('/var/makiatto/cluster.db', 'SQLite format 3\0')
}
const RUST_FILES = [
  '/usr/local/bin/makiatto',
  '/etc/makiatto.toml',
  '/etc/systemd/system/makiatto.service',
  '/var/makiatto',
]

const withBundle = (who: Operator, file: string): Promise<Outcome> =>
  who.maki([...init('root', '--yes'), '--binary-path', file])
/** A home without an SSH key; a profile of its own, so that nobody waits for another. */
function emptyHome(who: Operator): { readonly env: { readonly HOME: string } } {
  const HOME = who.path('empty')
  mkdirSync(HOME)
  return { env: { HOME } }
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'a wrong password of sudo, three times',
    run: (who) => who.makiOnTerminal([...init('ops'), '--yes'], [{ question: /password[^\n]*: ?/i, text: 'wrong' }]),
    code: 2,
    says: [/does not take the password of ops/, /right one/],
  },
  {
    name: 'a key that the server does not know',
    run: (who) => who.maki([...init('root'), '--ssh-priv-key', otherKey], emptyHome(who)),
    code: 3,
    says: [/other-key/, /authorized_keys|key/],
  },
  {
    name: 'no key at all',
    run: (who) => who.maki(init('root'), emptyHome(who)),
    code: 3,
    says: [/--ssh-priv-key|ssh-add/],
  },
  {
    name: 'nobody listens for SSH',
    run: (who) => who.maki([...init('root'), '--port', '2222']),
    code: 3,
    says: [/nothing listens at \S+:2222/, /sshd/],
  },
  {
    name: 'sudo wants a password and nobody is there to ask',
    run: (who) => who.maki(init('ops')),
    code: 2,
    says: [/password/i, /terminal/i],
  },
  {
    name: 'a user without sudo',
    run: (who) =>
      who.makiOnTerminal([...init('plain'), '--yes'], [{ question: /password[^\n]*: ?/i, text: 'plain-password' }]),
    code: 2,
    says: [/plain may not use sudo/, /usermod/],
  },
  {
    name: 'a bundle that ends in the middle',
    run: (who) => {
      const file = who.path('damaged.tar.gz')
      copyFileSync(bundle.file, file)
      truncateSync(file, Math.floor(bundle.sizeBytes / 2))
      return withBundle(who, file)
    },
    code: 2,
    says: [/damaged\.tar\.gz/, /end|whole|truncated|cut/],
  },
  {
    name: 'a bundle for another processor',
    run: (who) => withBundle(who, writeBundleOf(who, 'arm64')),
    code: 2,
    says: [/arm64|aarch64/, /x64|x86_64/],
  },
  {
    name: 'a file that is no bundle',
    run: (who) => {
      const file = who.path('no-bundle.tar.gz')
      writeFileSync(file, 'no bundle')
      return withBundle(who, file)
    },
    code: 2,
    says: [/no-bundle\.tar\.gz/],
  },
  {
    name: 'a name that no name server can have',
    run: (who) => who.maki(['machine', 'init', 'one_two', `root@${one.ipv4}`]),
    code: 2,
    says: [/one_two/, /letters/],
  },
]

/** As much of a bundle as is looked at, whose own description says what processor it is for. */
function writeBundleOf(who: Operator, arch: string): string {
  const folder = who.path('other-bundle')
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'bundle.json'), JSON.stringify({ version: bundle.version, arch }))
  for (const name of ['makiatto', 'node']) writeFileSync(join(folder, 'bin', name), '#!/bin/sh\n', { mode: 0o755 })
  const file = who.path('other.tar.gz')
  execFileSync('tar', ['--owner=0', '--group=0', '-C', folder, '-czf', file, 'bin', 'bundle.json'])
  return file
}

const FAULTS: readonly Fault[] = [
  {
    name: 'a web server on port 80',
    ...occupy('nginx', '-l', '80'),
    code: 4,
    says: [/\b80\b/, /systemd-socket/, /stop|move|another/i],
  },
  {
    name: 'a resolver of its own on port 53',
    ...occupy('dnsmasq', '-l', `${one.ipv4}:53`),
    code: 4,
    says: [/\b53\b/, /systemd-socket/, /stop|move|another/i],
  },
  {
    name: 'a disk that is read-only',
    ...mountOver('/opt', 'ro'),
    code: 4,
    says: [/\/opt can only be read/, /remount/],
  },
  {
    name: 'a disk that is full',
    ...mountOver('/opt', 'size=20m'),
    code: 4,
    says: [/\/opt/, /MB|MiB|GB|GiB|space|free/],
  },
  {
    name: 'a disk that nothing may run from',
    ...mountOver('/opt', 'noexec,size=2g'),
    code: 4,
    says: [/\/opt/, /noexec/],
  },
  {
    name: 'a clock that is an hour ahead',
    make: () => shiftClock(one, 3600),
    mend: () => restoreClock(one),
    code: 4,
    says: [/clock/, /hour|minutes|3[56]\d\d s/, /timedatectl|NTP|ntp|timesync|chrony/],
  },
  {
    name: 'a clock that is an hour behind',
    make: () => shiftClock(one, -3600),
    mend: () => restoreClock(one),
    code: 4,
    says: [/clock/, /timedatectl|NTP|ntp|timesync|chrony/],
  },
  {
    name: 'a Makiatto that was written in Rust',
    make: () => installRust(one),
    mend: () => one.run('rm', '-r', ...RUST_FILES),
    code: 4,
    says: [/Rust/, /coming-from-rust/],
  },
  {
    name: 'units that the superuser may not write',
    ...forbid('/etc/systemd/system'),
    code: 4,
    says: [/\/etc\/systemd\/system\/makiatto\.service/, /What was done was taken back/, /SELinux/, /lsattr/],
  },
]

/** Whether a cluster was begun on the operator's computer. */
const hasProfile = (who: Operator): boolean => existsSync(who.profile)

t.test('what is typed wrong, or not let in, is refused', async (t) => {
  const people = await makeMistakes(t, MISTAKES)
  t.strictSame(people.filter(hasProfile), [], 'no profile was written')
})

for (const { make, mend, ...fault } of FAULTS) {
  t.test(`${fault.name}: refused`, async (t) => {
    await make()
    try {
      checkRefused(t, fault, await operator.maki(init('root', '--yes')))
      t.notOk(hasProfile(operator), 'no profile was written')
    } finally {
      await mend()
    }
  })
}

t.test('after all of that the server is as before', async (t) => {
  t.strictSame(compareListings(clean, await listServer(one)), [])
})

/** A line that says how a step ended. */
const isStep = (line: string): boolean => /^[✓=!✗] /.test(line)
/** Steps of a whole run, as their lines have them. */
let steps: readonly string[] = []

t.test('a bare server becomes the first node', async (t) => {
  const child = operator.start(['machine', 'init', 'two', `root@${two.ipv4}`, '--yes'])
  const { code } = await child.ended
  t.equal(code, 0, child.output)
  t.ok(hasProfile(operator))
  steps = child.lines.filter(isStep)
  t.ok(steps.length > 10, steps.join('\n'))
})

/** What is typed wrong, or by the wrong person, once there is a cluster. */
const LATER_MISTAKES: readonly Mistake[] = [
  {
    name: 'the name of another machine',
    run: () => operator.maki(['machine', 'init', 'two', `root@${one.ipv4}`, '--yes']),
    code: 4,
    says: [/two/, /another name|other name|machine list|machine remove/i],
  },
  {
    name: 'a machine that is a node already, by another name',
    run: () => operator.maki(['machine', 'init', 'three', `root@${two.ipv4}`, '--yes']),
    code: 4,
    says: [/two/],
  },
  {
    name: 'a machine of somebody else',
    run: (who) => who.maki(['machine', 'init', 'mine', `root@${two.ipv4}`, '--yes']),
    code: 4,
    says: [/cluster/, /machine add|machine remove|operator/],
  },
  {
    name: 'the profile of another cluster',
    run: async (who) => {
      const made = { name: 'another', operatorName: 'stranger', recoveryKeyPath: who.path('recovery.key') }
      const dataFolder = who.path('another')
      const { cluster } = await createCluster({ ...made, dataDir: dataFolder, runtime: systemRuntime })
      await writeProfile({ file: who.profile, cluster, machines: [], dataFolder }, who.env, systemRuntime)
      return await who.maki(['machine', 'init', 'two', `root@${two.ipv4}`, '--yes'])
    },
    code: 4,
    says: [/a node of another cluster: two/, /--profile/],
  },
  {
    name: 'a profile without its key',
    run: (who) => {
      mkdirSync(dirname(who.profile), { recursive: true })
      copyFileSync(operator.profile, who.profile)
      return who.maki(['machine', 'init', 'one', `root@${one.ipv4}`, '--yes'])
    },
    code: 4,
    says: [/maki operator add/],
  },
]

t.test('what is typed wrong, or by the wrong person, is refused, and all is as before', async (t) => {
  const profile = readFileSync(operator.profile, 'utf8')
  await makeMistakes(t, LATER_MISTAKES)
  t.strictSame(compareListings(clean, await listServer(one)), [])
  t.equal(readFileSync(operator.profile, 'utf8'), profile)
  t.equal((await operator.maki(['status'])).code, 0, 'the node is as well as before')
})

t.test('a server with another host key than the pinned one is not spoken to', async (t) => {
  const file = '/etc/ssh/ssh_host_ed25519_key'
  const fingerprint = async () => /SHA256:\S+/.exec(await two.run('ssh-keygen', '-lf', `${file}.pub`))?.[0] as string
  const pinned = await fingerprint()
  await two.run('sh', '-c', `cp -a ${file} /root/key && cp -a ${file}.pub /root/key.pub && rm ${file} ${file}.pub`)
  await two.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file)
  await two.run('systemctl', 'restart', 'ssh')
  const shown = await fingerprint()
  for (const args of [['status'], ['machine', 'init', 'two', `root@${two.ipv4}`, '--yes']]) {
    const outcome = await operator.maki(args)
    t.not(outcome.code, 0)
    for (const key of [pinned, shown]) t.match(said(outcome), key, `${args.join(' ')} names both keys`)
  }
  await two.run('sh', '-c', `mv /root/key ${file} && mv /root/key.pub ${file}.pub`)
  await two.run('systemctl', 'restart', 'ssh')
  const { code, stderr } = await operator.maki(['status'])
  t.equal(code, 0, stderr)
})

/** What may stay of a run that was cut: the program, or its parts on their way, which the next run takes or sweeps. */
const isProgram = (line: string): boolean =>
  /^[-+] (path|content \w+ ) *\/opt\/makiatto(\/(incoming|versions)\S*)? /.test(`${line} `)
const listRest = async (): Promise<readonly string[]> =>
  compareListings(clean, await listServer(one)).filter((line) => !isProgram(line))

t.test(
  'a server without a device for tunnels, whose kernel has no WireGuard, is refused and not touched',
  async (t) => {
    await one.run('mount', '--bind', '/etc/hostname', '/dev/net/tun')
    const outcome = await operator.maki(['machine', 'init', 'one', `root@${one.ipv4}`, '--yes'])
    t.equal(outcome.code, 4, said(outcome))
    t.match(said(outcome), /neither WireGuard in its kernel nor \/dev\/net\/tun.*\n.*modprobe tun/)
    await one.run('umount', '/dev/net/tun')
    t.strictSame(await listRest(), [])
  },
)

const way = await hosts.openWay('one')
const byTheWay = ['machine', 'init', 'one', `root@${way.address}`, '--port', String(way.port), '--yes']
byTheWay.push('--ipv4', one.ipv4, '--ipv6', one.ipv6)

/** Cuts the connection when so many steps have ended: nothing stays then, or another run ends what was begun. */
async function cutAfter(t: Test, at: number): Promise<void> {
  const profile = readFileSync(operator.profile, 'utf8')
  const child = operator.start(byTheWay)
  let last = ''
  let ended = 0
  const isReached = (line: string): boolean => {
    if (isStep(line)) last = line
    return isStep(line) && ++ended === at
  }
  await child.waitForLine(isReached).catch(() => {})
  await way.cut()
  const { code } = await child.ended
  await way.heal()
  await atRest(one)
  const where = `cut after step ${at}, "${last}"`
  if (code === 0 || code === 1) {
    t.comment(`${where}: it was done`)
    return await takeAway(t, one)
  }
  t.ok(code === 3 || code === 4, `${where}: exit code ${code}\n${child.output}`)
  // Up to the upload nothing is written: it is enough to look when it has begun.
  const isWriting = child.lines.some((line) => line.startsWith('✓ Bundle'))
  const left = isWriting ? await listRest() : []
  if (left.length === 0) {
    t.comment(`${where}: nothing stays`)
    return void t.equal(readFileSync(operator.profile, 'utf8'), profile, `${where}: the profile is as before`)
  }
  t.comment(`${where}: the next run ends it`)
  const again = await operator.maki(byTheWay)
  t.equal(again.code, 0, `${where}: a second run\n${child.output}\n${said(again)}\n${left.join('\n')}`)
  await takeAway(t, one)
}

for (const seed of seeds(1)) {
  t.test(`the connection is cut after a step: nothing stays, or the next run ends it (SEED=${seed})`, async (t) => {
    // Seeds that follow each other go through all steps, and begin with one of those that change the server.
    await cutAfter(t, 1 + ((seed * 11) % (steps.length - 1)))
  })
}

t.test('the connection is cut when the node has been let in', async (t) => {
  await cutAfter(t, steps.findIndex((line) => /^. Join\b/.test(line)) + 1)
})

t.test('the connection is cut in the middle of the bundle', async (t) => {
  // So that it is brought once more.
  await one.run('rm', '-rf', '/opt/makiatto')
  await way.cutAfter(Math.floor(bundle.sizeBytes / 3))
  const { code, ...cut } = await operator.maki(byTheWay)
  t.ok(code === 3 || code === 4, `exit code ${code}\n${said({ code, ...cut })}`)
  await way.heal()
  await atRest(one)
  t.strictSame(await listRest(), [])
  const { stdout } = await operator.maki(['machine', 'list', '--json'])
  t.notMatch(stdout, /"one"/, 'none of all these runs left a member')
})

/** The machine is removed, and its server is as it was. */
async function takeAway(t: Test, host: BootedHost, who = operator): Promise<void> {
  const removed = await who.maki(['machine', 'remove', host.name, '--yes', '--force'])
  t.equal(removed.code, 0, said(removed))
  t.strictSame(compareListings(clean, await listServer(host)), [], `${host.name} is as it was`)
}

t.test('two at once, of two people: one has it, and the other is told', async (t) => {
  const rival = hosts.addOperator('rival')
  const both = [operator, rival]
  const outcomes = await Promise.all(both.map((who) => who.maki(init('root', '--yes'))))
  const winners = both.filter((_, i) => outcomes[i]?.code === 0)
  t.equal(winners.length, 1, outcomes.map(said).join('\n--\n'))
  const lost = outcomes.find(({ code }) => code !== 0) as Outcome
  t.match(said(lost), /somebody else|already/)
  t.match(await one.run('getent', 'hosts', 'two.test'), two.ipv6, 'names resolve still')
  await takeAway(t, one, winners[0])
})

t.test('the server loses its power in the middle: the next run sets it up', async (t) => {
  const withoutRun = (listing: readonly string[]) => listing.filter((line) => !line.startsWith('run '))
  const before = withoutRun(await listServer(one))
  const child = operator.start(init('root', '--yes'))
  let ended = 0
  await child.waitForLine((line) => isStep(line) && ++ended === Math.floor((steps.length * 2) / 3))
  await one.powerOff()
  const { code } = await child.ended
  t.ok(code === 3 || code === 4, `exit code ${code}\n${child.output}`)
  await one.powerOn()
  const again = await initServer(operator, one)
  t.equal(again.code, 0, said(again))
  t.match(await one.run('getent', 'hosts', 'two.test'), two.ipv6, 'names resolve still')
  const removed = await operator.maki(['machine', 'remove', 'one', '--yes', '--force'])
  t.equal(removed.code, 0, said(removed))
  t.strictSame(compareListings(before, withoutRun(await listServer(one))), [])
})
