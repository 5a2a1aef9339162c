import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BareHosts, OPS_PASSWORD, type ServerUser } from './support/bare-hosts.ts'
import { ROOT, Scene } from './support/scene.ts'
import type { DriverAnswer, DriverRequest } from './support/ssh-driver.ts'

/** Becoming root on a server as a provider hands it over, in every way that sudo has of saying no. */

t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const bare = await BareHosts.open(scene, ['berlin'])
t.teardown(() => bare[Symbol.asyncDispose]())
const berlin = bare.host('berlin')
const DRIVER = join(import.meta.dirname, 'support', 'ssh-driver.ts')

async function drive(user: ServerUser, more: Partial<DriverRequest> = {}): Promise<DriverAnswer> {
  const request: DriverRequest = { target: `${user}@${berlin.ipv4}`, home: bare.operator.home, ...more }
  // A file, since what is typed must stand in no arguments.
  const file = scene.path(`request-${user}.json`)
  writeFileSync(file, JSON.stringify(request), { mode: 0o600 })
  const script = 'exec "$1" "$2" < "$3"'
  const { stdout, stderr } = await bare.operator.run([
    'sh',
    '-c',
    script,
    'sh',
    join(ROOT, 'cli/bin/node'),
    DRIVER,
    file,
  ])
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as DriverAnswer
}

const COMMAND = "id -u; cat; echo 'its an error' >&2; exit 5"
const EXPECTED = { stdout: '0\nfed\nsecond line', stderr: 'its an error\n', code: 5 }
const input = 'fed\nsecond line'

t.test('root, sudo, and sudo with a password that is asked for once', async (t) => {
  const asRoot = await drive('root', { command: COMMAND, input })
  t.match(asRoot, { kind: 'root', asked: 0, outcome: EXPECTED })
  t.match(await drive('admin', { command: COMMAND, input }), { kind: 'sudo', asked: 0, outcome: EXPECTED })
  t.match(await drive('ops', { command: COMMAND, input, typed: [OPS_PASSWORD] }), {
    kind: 'sudo-password',
    asked: 1,
    outcome: EXPECTED,
  })
})

t.test('a wrong password is asked for again, and three times are enough', async (t) => {
  const second = await drive('ops', { command: COMMAND, input, typed: ['wrong', OPS_PASSWORD] })
  t.match(second, { kind: 'sudo-password', asked: 2, outcome: EXPECTED })
  const never = await drive('ops', { typed: ['planted-1', 'planted-2', 'planted-3', OPS_PASSWORD] })
  t.match(never, { asked: 3, error: { code: 'MAKI_USAGE', message: /does not take the password of ops/ } })
  t.notMatch(JSON.stringify(never), /planted/)
  t.match(await drive('ops'), { asked: 0, error: { code: 'MAKI_USAGE', message: /no terminal/ } })
})

t.test('what sudo does not do is told apart', async (t) => {
  t.match(await drive('plain', { typed: ['x'] }), { error: { code: 'MAKI_USAGE' } })
  await berlin.run('sh', '-c', 'echo plain:plain-password | chpasswd')
  const plain = await drive('plain', { typed: ['plain-password'] })
  t.match(plain, {
    asked: 1,
    error: { code: 'MAKI_USAGE', message: /plain may not use sudo/, hint: /usermod -aG sudo plain/ },
  })
  await berlin.write('/etc/sudoers.d/plain', 'plain ALL=(ALL) NOPASSWD: /usr/bin/id\n', '440')
  const few = await drive('plain', { typed: ['plain-password'] })
  t.match(few, { error: { code: 'MAKI_USAGE', message: /allows some commands/ } })
  await berlin.write('/etc/sudoers.d/tty', 'Defaults:admin requiretty\n', '440')
  t.match(await drive('admin'), { error: { code: 'MAKI_USAGE', message: /requiretty/ } })
  await berlin.run('mv', '/usr/bin/sudo', '/usr/bin/sudo-away')
  t.match(await drive('admin'), { error: { code: 'MAKI_USAGE', message: /no sudo on the server/ } })
  await berlin.run('mv', '/usr/bin/sudo-away', '/usr/bin/sudo')
  await berlin.run('rm', '/etc/sudoers.d/tty', '/etc/sudoers.d/plain')
})

t.test('the password is in no process, and nowhere on the disk', async (t) => {
  const command = "ps -eo args=; tr '\\0' '\\n' < /proc/$PPID/environ; cat"
  const { outcome } = await drive('ops', { command, input: 'planted-input', typed: [OPS_PASSWORD] })
  t.match(outcome?.stdout, /sudo -S -k/, 'the search sees the commands')
  t.match(outcome?.stdout, /planted-input$/)
  t.notMatch(outcome?.stdout, new RegExp(OPS_PASSWORD))
  await berlin.write('/var/log/marker', OPS_PASSWORD)
  const search = async (): Promise<string> =>
    await berlin.run(
      'sh',
      '-c',
      `grep -rlsF ${OPS_PASSWORD} /var/log /home /root /etc /tmp /opt; journalctl --no-pager -q | grep -F ${OPS_PASSWORD}; true`,
    )
  t.equal(await search(), '/var/log/marker\n')
  await berlin.run('rm', '/var/log/marker')
  t.equal(await search(), '')
})

t.test('names, both kinds of addresses, and a name that there is not', async (t) => {
  for (const place of [berlin.ipv4, berlin.ipv6])
    t.match(await drive('root', { target: `root@${place}` }), { kind: 'root', address: place })
  const gone = await drive('root', { target: 'root@[2001:db8:51::ff]' })
  t.match(gone, {
    error: { code: 'MAKI_UNREACHABLE', message: /no way to \[2001:db8:51::ff\]|did not answer within 5 s/ },
  })
})

t.test('a user who is not in the group is told so, and how that is changed', async (t) => {
  await berlin.run('install', '-d', '-m', '750', '/run/makiatto')
  await berlin.write(
    '/usr/local/bin/makiatto',
    '#!/bin/sh\nls /run/makiatto/ > /dev/null 2>&1 || { echo "makiatto: the control socket /run/makiatto/control.sock does not answer: connect EACCES" >&2; exit 3; }\n',
    '755',
  )
  const { error } = await drive('plain', { control: true })
  t.match(error, {
    code: 'MAKI_UNREACHABLE',
    message: /plain may not use the control socket/,
    hint: /usermod -aG makiatto plain/,
  })
})
