import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { SERVICE_USER, UNIT_FILE } from '../../cli/setup/index.ts'
import type { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { BareHosts, compareListings, listServer } from './support/bare-hosts.ts'
import { childrenOf } from './support/booted-hosts.ts'
import { makeOtherBundle } from './support/other-bundles.ts'
import { type Outcome, Scene } from './support/scene.ts'
import { atRest, makeBundle } from './support/servers.ts'

/**
 * A server on which somebody else was first, or still is: one with a user account, one who owns its shell, one who took over
 * the daemon. And a laptop that is switched off at any moment.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const hosts = await BareHosts.open(scene, ['one'])
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const one = hosts.host('one')
const bundle = await makeBundle(operator)
const init = ['machine', 'init', 'one', `root@${one.ipv4}`, '--yes']
const shell = (script: string): Promise<string> => one.run('sh', '-c', script)
const said = ({ stdout, stderr }: Outcome): string => `${stdout}${stderr}`
const clean = await listServer(one)

async function isAsBefore(t: Test): Promise<void> {
  await atRest(one)
  t.strictSame(compareListings(clean, await listServer(one)), [])
  t.notOk(existsSync(operator.profile), 'no profile was written')
}

const PROGRAM = `versions/${bundle.sha256}/bin/makiatto`

t.test('what a user of the server laid where ours would lie is not touched, and never run', async (t) => {
  await shell('echo before > /root/motd')
  const trap = '#!/bin/sh\ntouch /root/owned\necho whole\n'
  const journal = JSON.stringify({
    state: 'installed',
    records: [{ kind: 'path', path: '/root/motd', before: { is: 'absent' }, after: [], owned: true }],
  })
  const plant = async (folder: string): Promise<void> => {
    await one.write(`${folder}/${PROGRAM}`, trap, '755')
    await one.write(`${folder}/journal.json`, journal)
    await shell(
      `ln -s versions/${bundle.sha256} ${folder}/current; mkdir -p /etc/makiatto; chown -R plain:plain ${folder}`,
    )
    await one.write('/etc/makiatto/makiatto.toml', '[node]\nname = "one"\n')
  }
  const refuse = async (place: string, path: string): Promise<void> => {
    const outcome = await operator.maki(init)
    t.equal(outcome.code, 4, `${place}: ${said(outcome)}`)
    t.match(said(outcome), new RegExp(`nothing was changed there: .*${path}`), place)
    t.equal(await shell('ls /root'), 'motd\n', `${place}: nothing was run, nothing was put back`)
  }
  await plant('/opt/makiatto')
  await refuse('a folder of his', '/opt/makiatto')
  await shell('mv /opt/makiatto /home/plain/makiatto; ln -s /home/plain/makiatto /opt/makiatto')
  await refuse('a link to a folder of his', '/opt/makiatto')
  await shell('rm -r /opt/makiatto /etc/makiatto /home/plain/makiatto; ln -s /home/plain /var/makiatto')
  await refuse('a link in place of the data', '/var/makiatto')
  await shell('rm /var/makiatto')
  await shell('rm /root/motd')
  await isAsBefore(t)
})

t.test('whatever the shell of the server says, it is told in plain characters, and comes to an end', async (t) => {
  const manners: Readonly<Record<string, string>> = {
    garbage: 'head -c 100000 /dev/urandom; exit 0',
    escapes: "printf '\\033]0;owned\\007\\033[2J\\033[31mred\\n'; printf '\\033[31mred\\n' >&2; exit 3",
    endless: 'exec cat /dev/zero',
  }
  try {
    for (const [manner, script] of Object.entries(manners)) {
      await one.write('/run/evil-shell', `#!/bin/sh\n${script}\n`, '755')
      await shell('usermod -s /run/evil-shell root')
      const outcome = await operator.maki(init)
      t.ok([2, 3, 4].includes(outcome.code as number), `${manner}: ${outcome.code} ${said(outcome)}`)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
      t.notMatch(said(outcome), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, manner)
      t.notMatch(said(outcome), /TypeError|node:internal/, manner)
    }
  } finally {
    await shell('usermod -s /bin/bash root; rm /run/evil-shell')
  }
  t.notOk(existsSync(operator.profile), 'no profile was written')
})

/** Ends maki in the moment that one of its lines comes, so that it can say and do no more. */
async function killAt(child: Child, number: number): Promise<string | undefined> {
  let seen = 0
  const line = child.waitForLine(() => seen++ === number)
  const met = await Promise.race([line, child.ended.then(() => undefined)]).catch(() => undefined)
  for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGKILL')
  await child.ended
  return met
}

t.test(
  'neither a user of the server keeps it from being set up, nor a greeting of its shell, nor a laptop that dies',
  async (t) => {
    // Who has this name kept everybody out, once.
    const squat = ['--quiet', '--collect', '--unit=squat', '--uid=plain', 'systemd-socket-activate']
    await one.run('systemd-run', ...squat, '-l', '@makiatto-setup', '/bin/cat')
    await shell('! runuser -u plain -- flock -n /run/makiatto-setup.lock true 2>/dev/null')
    await shell('cp -a /root/.bashrc /root/bashrc.kept 2>/dev/null || true')
    await one.write('/root/.bashrc', "printf '\\033[1mWelcome to one!\\033[0m\\n'\n")
    for (const seed of seeds(1)) {
      const at = await killAt(operator.start(init), 3 + createRandom(seed).integer(14))
      t.comment(`SEED=${seed}: killed at ${at}`)
      await atRest(one)
    }
    const outcome = await operator.maki(init)
    t.equal(outcome.code, 0, said(outcome))
    await shell('rm /root/.bashrc; mv /root/bashrc.kept /root/.bashrc 2>/dev/null; systemctl stop squat')
    t.equal((await operator.maki(['status'])).code, 0)
  },
)

t.test('the daemon’s user, with the daemon’s rights, may do what the daemon has to and no more', async (t) => {
  const deeds: Readonly<Record<string, string>> = {
    'write its data': 'echo x > /var/makiatto/probe',
    'write the configuration': 'echo x >> /etc/makiatto/makiatto.toml',
    'write units': 'echo x > /etc/systemd/system/x.service',
    'write programs': 'echo x > /opt/makiatto/x || echo x > /usr/local/bin/x',
    'write where others are': 'echo x > /run/x || echo x > /home/x || echo x > /var/lib/x || echo x > /boot/x',
    'read homes': 'ls /root/.ssh || ls /home/plain',
    'read what root alone may': 'cat /etc/shadow || cat /opt/makiatto/journal.json',
    'see other processes': 'cat /proc/1/cmdline && [ -d /proc/1 ]',
    'signal others': 'kill -0 1',
    'make namespaces': 'unshare -U true || unshare -m true',
    mount: 'mount -t tmpfs none /tmp',
    'make a program that runs as somebody else': 'cp /bin/true /var/makiatto/true && chmod u+s /var/makiatto/true',
    'become root': 'su root -c true </dev/null || sudo -n true',
    'make a device': 'mknod /var/makiatto/disk b 8 0',
    'set the clock': 'date -s @0',
    'set the kernel': 'echo 1 > /proc/sys/kernel/sysrq',
    'set the name': 'hostname x',
    'load modules': 'modprobe dummy || insmod /dev/null',
    'dump core': '[ "$(ulimit -Hc)" != 0 ]',
  }
  const script = Object.entries(deeds).map(([name, deed]) => `if ( ${deed} ) >/dev/null 2>&1; then echo "${name}"; fi`)
  await one.write('/usr/local/lib/probe.sh', `${script.join('\n')}\ntrue\n`)
  const unit = UNIT_FILE.replace(/^ExecStart=.*$/m, 'ExecStart=/bin/sh /usr/local/lib/probe.sh')
    .replace('Type=notify', 'Type=oneshot')
    .replace(/^(Restart|RestartSec|WatchdogSec|WatchdogSignal|NotifyAccess|RuntimeDirectory\w*)=.*\n/gm, '')
    .replace('[Service]', '[Service]\nStandardOutput=file:/root/probe')
  await one.write('/etc/systemd/system/probe.service', unit)
  await shell('systemctl daemon-reload; systemctl start probe')
  t.equal(await one.read('/root/probe'), 'write its data\n')
  await shell(
    'rm -f /etc/systemd/system/probe.service /usr/local/lib/probe.sh /root/probe /var/makiatto/probe /var/makiatto/true; systemctl daemon-reload',
  )
})

t.test('an upgrade whose laptop dies comes to its end, and can be done again; two at once do no harm', async (t) => {
  const other = await makeOtherBundle(scene, bundle)
  const upgrade = ['machine', 'upgrade', 'one', '--binary-path', other.file]
  const resting = (): Promise<true> =>
    eventually('the activation to end', async () => {
      await atRest(one)
      const state = await shell('systemctl is-active makiatto-activate || true')
      return /^(inactive|failed)/.test(state) ? true : undefined
    })
  for (const seed of seeds(1)) {
    const at = await killAt(operator.start(upgrade), 2 + createRandom(seed + 50).integer(4))
    t.comment(`SEED=${seed}: killed at ${at}`)
    await resting()
    const running = await shell('readlink /opt/makiatto/current')
    t.ok(running.includes(bundle.sha256) || running.includes(other.sha256), running)
    t.equal((await shell('systemctl is-active makiatto')).trim(), 'active')
  }
  const both = await Promise.all([operator.maki(upgrade), operator.maki(upgrade)])
  await resting()
  const codes = both.map(({ code }) => code)
  t.ok(codes.includes(0), both.map(said).join('\n'))
  for (const outcome of both) t.ok([0, 1, 4].includes(outcome.code as number), said(outcome))
  t.match(await shell('readlink /opt/makiatto/current'), new RegExp(other.sha256))
  t.equal((await shell('ls /opt/makiatto/incoming 2>/dev/null || true')).trim(), '')
  t.equal((await operator.maki(['status'])).code, 0)
})

t.test(
  'who took over the daemon leads its removal nowhere else, and a laptop that dies does not stop it',
  async (t) => {
    const plant = (target: string, path: string): string => `runuser -u ${SERVICE_USER} -- ln -s ${target} ${path}`
    await shell('mkdir /root/kept; echo kept > /root/kept/file; mkdir -m 777 /srv/kept; echo kept > /srv/kept/file')
    await shell(
      [
        plant('/root/kept', '/var/makiatto/planted'),
        plant('/srv/kept', '/var/makiatto/writable'),
        plant('/srv/kept', '/var/cache/makiatto/planted'),
        plant('/srv/kept', '/run/wireguard/planted.sock'),
      ].join(' && '),
    )
    // Outside of its unit, where systemd does not end it.
    await one.run('systemd-run', '--quiet', '--collect', '--unit=lurker', `--uid=${SERVICE_USER}`, 'sleep', '100000')
    const remove = ['machine', 'remove', 'one', '--yes', '--force']
    await killAt(operator.start(remove), 2)
    await atRest(one)
    const outcome = await operator.maki(remove)
    t.equal(outcome.code, 0, said(outcome))
    t.equal(await shell('cat /root/kept/file /srv/kept/file'), 'kept\nkept\n')
    await shell('rm -r /root/kept /srv/kept')
    await eventually('the process to be gone', async () =>
      (await shell('systemctl is-active lurker || true')).startsWith('active') ? undefined : true,
    )
    await atRest(one)
    t.strictSame(compareListings(clean, await listServer(one)), [])
  },
)
