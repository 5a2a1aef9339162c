import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import * as pem from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { BareHosts } from './support/bare-hosts.ts'
import type { BootedHost } from './support/booted-hosts.ts'
import { ProcessWatch } from './support/process-watch.ts'
import { writeProject } from './support/project.ts'
import { type Outcome, Scene } from './support/scene.ts'
import { makeBundle } from './support/servers.ts'

/** Promise 7 on servers: nothing secret is in arguments, environments, journals or logs, or in clear on a disk. */

t.setTimeout(0)
const SUDO_PASSWORD = 'marker-of-sudo-4f1d7be0c2'
const PASSPHRASE = 'marker-of-a-passphrase-9a20cc51'
const TOKEN = 'marker-of-a-token-77d0e1f3a8'
const PLANTED = 'planted-marker-5be8013fa7'
/** A line of the private key, and the bytes that it stands for. */
const TLS_LINE = pem.LEAF_KEY.split('\n')[1] as string
const DOMAIN = 'shop.test'

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const hosts = await BareHosts.open(scene, ['one', 'two'])
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const servers = [hosts.host('one'), hosts.host('two')] as const
const [one, two] = servers
await makeBundle(operator)
await one.run('sh', '-c', `echo 'ops:${SUDO_PASSWORD}' | chpasswd`)
const key = operator.path('.ssh', 'id_ed25519')
await scene.run('ssh-keygen', ['-q', '-p', '-P', '', '-N', PASSPHRASE, '-f', key])

/** A secret and the ways in which it may be written, and the one file of the operator's computer that has it. */
interface Secret {
  readonly what: string
  readonly forms: readonly Buffer[]
  readonly home?: string
}

const secretOf = (what: string, text: string, home?: string): Secret => ({
  what,
  forms: [
    Buffer.from(text),
    // Less what depends on what stands behind it.
    Buffer.from(Buffer.from(text).toString('base64url').slice(0, -3)),
    Buffer.from(Buffer.from(text).toString('base64').slice(0, -3)),
    Buffer.from(Buffer.from(text).toString('hex')),
  ],
  ...(home === undefined ? {} : { home }),
})

const secrets: Secret[] = [
  secretOf('the password of sudo', SUDO_PASSWORD),
  secretOf('the passphrase of the SSH key', PASSPHRASE),
  secretOf('a value of a function', TOKEN),
  secretOf('a key of TLS, as text', TLS_LINE),
  { what: 'a key of TLS', forms: [Buffer.from(TLS_LINE, 'base64').subarray(4, 40)] },
]
const planted = secretOf('what was planted', PLANTED)
const outputs: string[] = []
const keep = (outcome: Outcome): Outcome => {
  outputs.push(outcome.stdout, outcome.stderr)
  return outcome
}

/** From here on all processes are looked at, on the servers and on the operator's computer. */
const watch = new ProcessWatch([...secrets, planted].flatMap(({ forms }) => [...forms]))
t.teardown(() => watch[Symbol.asyncDispose]())

const PASSPHRASE_ANSWER = { question: /passphrase[^\n]*: ?/i, text: PASSPHRASE }
const PASSWORD_ANSWER = { question: /password[^\n]*: ?/i, text: SUDO_PASSWORD }

t.test('two servers become nodes, by a key with a passphrase and by sudo with a password', async (t) => {
  const first = keep(
    await operator.makiOnTerminal(
      ['machine', 'init', 'one', `ops@${one.ipv4}`, '--yes', '--debug'],
      [PASSPHRASE_ANSWER, PASSWORD_ANSWER],
    ),
  )
  t.equal(first.code, 0, first.stdout)
  t.equal(countQuestions(first), 1, 'the passphrase was asked for once')
  const second = keep(
    await operator.makiOnTerminal(
      ['machine', 'init', 'two', `root@${two.ipv4}`, '--yes', '--debug'],
      [PASSPHRASE_ANSWER],
    ),
  )
  t.equal(second.code, 0, second.stdout)
  // Now they are there.
  for (const file of listFiles(operator.home)) {
    if (!/key/.test(file) || file.includes('.ssh')) continue
    for (const line of readFileSync(file, 'latin1').split('\n')) {
      const word = line.split(/[ :=]/).findLast((text) => /^[\w+/=-]{40,}$/.test(text))
      if (line.startsWith('#') || word === undefined) continue
      const raw = /^[0-9a-f]+$/.test(word) ? Buffer.from(word, 'hex') : Buffer.from(word, 'base64url')
      secrets.push({ what: `the key in ${relative(operator.home, file)}`, forms: [Buffer.from(word), raw], home: file })
    }
  }
  t.ok(
    secrets.filter(({ home }) => home !== undefined).length >= 2,
    'the operator has a key, and the cluster one of its own',
  )
  for (const { forms } of secrets.slice(5)) watch.add(forms)
})

t.test('a function with a secret is published, and a certificate imported', async (t) => {
  const shop = writeProject(scene.path('shop'), {
    domain: DOMAIN,
    files: { 'index.html': 'shop', 'api/pay.wasm': await buildWatGuest('http-echo') },
    more: `[[domain.functions]]\npath = "api/pay.wasm"\nenv = { TOKEN = "${TOKEN}" }\n`,
  })
  const given = scene.path('given')
  mkdirSync(given)
  for (const [name, text] of Object.entries(pem)) writeFileSync(join(given, name), text)
  const commands: [string[], string][] = [
    [['sync', '--wait', 'all', '--debug'], shop],
    [['cert', 'import', 'LEAF', 'INTERMEDIATE', '--private-key', 'LEAF_KEY', '--debug'], given],
    [['status', '--debug'], shop],
    [['history'], shop],
    [['machine', 'show', 'one'], shop],
    [['logs'], shop],
  ]
  for (const [args, cwd] of commands) {
    const outcome = keep(await operator.makiOnTerminal(args, [PASSPHRASE_ANSWER, PASSWORD_ANSWER], { cwd }))
    t.equal(outcome.code, 0, `${args.join(' ')}\n${outcome.stdout}`)
    t.equal(countQuestions(outcome), 1, `${args.join(' ')}: the passphrase was asked for once`)
  }
  for (const { ipv4 } of servers) {
    await eventually(`the function at ${ipv4}`, async () => {
      const answer = await hosts.hosts.run(
        'curl',
        '-s',
        '-H',
        `Host: ${DOMAIN}`,
        '--data',
        'x',
        `http://${ipv4}/api/pay`,
      )
      return answer.includes('x') ? true : undefined
    })
  }
})

t.test('a daemon is restarted', async (t) => {
  const restarted = keep(
    await operator.makiOnTerminal(['machine', 'restart', 'one'], [PASSPHRASE_ANSWER, PASSWORD_ANSWER]),
  )
  t.equal(restarted.code, 0, restarted.stdout)
  t.equal(countQuestions(restarted), 1, 'the passphrase was asked for once')
})

t.test('the search finds what is planted', async (t) => {
  await one.run(
    'systemd-run',
    '--quiet',
    '--collect',
    '--unit=planted',
    `--setenv=PLANTED=${PLANTED}`,
    'sleep',
    '10000',
  )
  await eventually('the environment of a process', () =>
    watch.found.some((one) => one.where === 'environ' && one.form.includes(PLANTED)) ? true : undefined,
  )
  await one.run('systemctl', 'stop', 'planted')
  await two.run('systemd-run', '--quiet', '--collect', '--unit=planted', 'sh', '-c', 'sleep 10000; :', PLANTED)
  await eventually('the arguments of a process', () =>
    watch.found.some((one) => one.where === 'cmdline' && one.form.includes(PLANTED)) ? true : undefined,
  )
  await two.run('systemctl', 'stop', 'planted')
  for (const server of servers) {
    await server.run(
      'sh',
      '-c',
      `echo ${PLANTED} | systemd-cat; mkdir -p /var/makiatto/planted; echo x${PLANTED}x > /var/makiatto/planted/file`,
    )
    await eventually('the line in the journal', async () =>
      (await searchJournal(server, [planted])).length > 0 ? true : undefined,
    )
    t.match(searchFolder(diskOf(server), [planted]), [/planted\/file/], `the disk of ${server.name}`)
    await server.run('rm', '-r', '/var/makiatto/planted')
  }
  const file = operator.path('planted')
  writeFileSync(file, Buffer.from(PLANTED).toString('hex'))
  t.strictSame(searchFolder(operator.home, [planted]), ['planted: what was planted'])
  rmSync(file)
})

t.test('no secret is in arguments, environments, journals, logs, or in clear on a disk', async (t) => {
  const seen = watch.found.filter(({ form }) => !form.includes(PLANTED))
  t.strictSame(
    seen.map(({ where, command }) => `${where} of ${command}`),
    [],
    `${watch.looks} looks at all processes`,
  )
  for (const server of servers) {
    t.strictSame(await searchJournal(server, secrets), [], `the journal of ${server.name}`)
    t.strictSame(searchFolder(diskOf(server), secrets), [], `the disk of ${server.name}`)
    for (const path of ['run', 'tmp', 'var/tmp']) {
      const folder = join(rootOf(server), path)
      t.strictSame(searchFolder(folder, secrets), [], `/${path} of ${server.name}`)
    }
  }
  t.strictSame(searchFolder(operator.home, secrets), [], "the operator's computer")
  t.strictSame(searchFolder(scene.path('tmp'), secrets), [], 'temporary files')
  const said = Buffer.from(outputs.join('\n'))
  t.strictSame(findIn(said, secrets), [], 'what was printed at the terminal, --debug too')
})

/** How often a passphrase was asked for. */
const countQuestions = ({ stdout }: Outcome): number => stdout.split('Passphrase of ').length - 1

/** Which of the secrets some bytes hold. */
function findIn(bytes: Buffer, wanted: readonly Secret[]): string[] {
  return wanted.filter(({ forms }) => forms.some((form) => bytes.includes(form))).map(({ what }) => what)
}

/** Files below a folder that hold a secret, but for the one that is its place. */
function searchFolder(folder: string, wanted: readonly Secret[]): string[] {
  return listFiles(folder).flatMap((file) =>
    findIn(
      readFileSync(file),
      wanted.filter(({ home }) => home !== file),
    ).map((what) => `${relative(folder, file)}: ${what}`),
  )
}

async function searchJournal(server: BootedHost, wanted: readonly Secret[]): Promise<string[]> {
  return findIn(Buffer.from(await server.run('journalctl', '--no-pager', '--all', '--output=export')), wanted)
}

/** Root of a server as this process sees it. */
const rootOf = (server: BootedHost): string => `/proc/${server.wrapper[2]}/root`

/** All that was written to a server's disk since it was made. */
const diskOf = (server: BootedHost): string =>
  join(`/proc/${hosts.hosts.wrapper[2]}/root`, hosts.hosts.folder, server.name, 'upper')

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isFile())
}
