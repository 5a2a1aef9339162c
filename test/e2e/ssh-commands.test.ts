import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { dataFolderAt } from '../../cli/client/data-folder.ts'
import { findKeySeed } from '../../cli/client/identity.ts'
import { devFolderAt } from '../../cli/dev/data-folder.ts'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { buildSeedKey } from '../../cli/ssh/key-file.ts'
import { makeKey, Sshd } from '../support/sshd.ts'
import { DaemonCluster } from './support/daemons.ts'
import { Scene } from './support/scene.ts'

/** Commands as people and CI type them, with machines that are reached over SSH alone. */

t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(async () => {
  for (const daemon of cluster.daemons) await daemon[Symbol.asyncDispose]()
})
await cluster.start()
const sshd = await Sshd.start()
t.teardown(() => sshd[Symbol.asyncDispose]())
symlinkSync(controlSocketPath(cluster.daemons[0]!.layout, {}), sshd.controlSocket)

const keyFile = scene.path('ssh-key')
const line = makeKey(keyFile)
const name = cluster.daemons[0]!.name
const operatorFolder = devFolderAt(scene.path('c')).operator

/** A profile whose machines are reached over SSH. */
function writeProfile(file: string, machines: readonly { name: string; port: number; hostKey?: string }[]): string {
  const tables = machines.map(
    (machine) =>
      `\n[[machines]]\nname = "${machine.name}"\nssh_target = "root@127.0.0.1"\nport = ${machine.port}\nis_nameserver = true\n${machine.hostKey === undefined ? '' : `host_key = "${machine.hostKey}"\n`}`,
  )
  const path = scene.path(file)
  writeFileSync(path, `cluster = "${cluster.id}"\ndata = "${operatorFolder}"\n${tables.join('')}`)
  return path
}

const here = { name, port: sshd.port, hostKey: sshd.hostKey() }
const maki = (args: readonly string[], profile: string) =>
  scene.maki(args, { env: { MAKIATTO_PROFILE: profile, SSH_AUTH_SOCK: '' } })

t.test("with a key of SSH, and with the operator's alone; the process ends", async (t) => {
  const profile = writeProfile('ssh.toml', [here])
  sshd.allow(line)
  const status = await maki(['status', '--ssh-priv-key', keyFile], profile)
  t.equal(status.code, 0, status.stderr)
  t.match(status.stdout, name)
  const refused = await maki(['status'], profile)
  t.equal(refused.code, 3)
  t.match(refused.stderr, /none of your SSH keys.*operator's key .* the server does not take it/s)
  const seed = (await findKeySeed(dataFolderAt(operatorFolder).keyFile)) as Uint8Array
  sshd.allow(`restrict,port-forwarding ssh-ed25519 ${buildSeedKey(seed).publicKey.toString('base64')}`)
  const own = await maki(['status'], profile)
  t.equal(own.code, 0, own.stderr)
})

t.test('another host key is refused; none that is known is refused too where nobody can be asked', async (t) => {
  sshd.allow(line)
  const other = makeKey(scene.path('other-key'))
  const changed = await maki(
    ['status', '--ssh-priv-key', keyFile],
    writeProfile('other.toml', [{ ...here, hostKey: other }]),
  )
  t.equal(changed.code, 3)
  t.match(changed.stderr, /shows another host key.*SHA256:.*SHA256:/s)
  const unknown = await maki(
    ['status', '--ssh-priv-key', keyFile],
    writeProfile('none.toml', [{ name, port: sshd.port }]),
  )
  t.equal(unknown.code, 3)
  t.match(unknown.stderr, /no terminal to ask on.*SHA256:/s)
})

t.test('a machine that is off is passed over', async (t) => {
  const off = { name: 'amsterdam', port: 9, hostKey: sshd.hostKey() }
  const status = await maki(['status', '--ssh-priv-key', keyFile], writeProfile('two.toml', [off, here]))
  t.equal(status.code, 0, status.stderr)
})

t.test('nothing that is secret is said, also with --debug', async (t) => {
  const body = readFileSync(keyFile, 'utf8').split('\n')[1] as string
  const seedLine = readFileSync(dataFolderAt(operatorFolder).keyFile, 'utf8').trim().split('\n').at(-1) as string
  sshd.allow()
  const said = await maki(['status', '--debug', '--ssh-priv-key', keyFile], writeProfile('debug.toml', [here]))
  t.equal(said.code, 3)
  t.match(said.stderr, keyFile, 'the search finds what is there')
  for (const secret of [body, seedLine]) t.notMatch(said.stdout + said.stderr, secret)
})
