import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { CertificateMaker } from '../support/certificate-maker.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Three daemons with workers: a client that was at one resumes at another, by openssl, until a node was broken into. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const VERSIONS = ['-tls1_2', '-tls1_3'] as const

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 3 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const [first, second, third] = cluster.daemons as [Daemon, Daemon, Daemon]
const base = await findFreePorts([0, 1, 2])
const portOf = (daemon: Daemon): number => base + cluster.daemons.indexOf(daemon)
for (const daemon of cluster.daemons) {
  const https = `workers = 2\nhttps_addr = "127.0.0.1:${portOf(daemon)}"`
  daemon.configure((text) => text.replace('workers = 0', https).replace('local_hosts = true', 'local_hosts = false'))
}
await cluster.start()
const maki = async (args: readonly string[], cwd = scene.folder) => {
  const ended = await scene.maki(args, { cwd, env: { MAKIATTO_PROFILE: cluster.profile } })
  if (ended.code !== 0) throw new Error(ended.stderr)
}
await maki(
  ['sync', '--wait', 'all'],
  writeProject(scene.path('shop'), { domain: HOST, files: { 'index.html': 'shop' } }),
)
const { chain, key } = maker.make([HOST])
writeFileSync(scene.path('cert.pem'), chain)
writeFileSync(scene.path('key.pem'), key)
await maki(['cert', 'import', 'cert.pem', '--private-key', 'key.pem'])

/** True for a resumed session. What is got for later goes to the file. */
async function visit(daemon: Daemon, version: string, files: { in?: string; out?: string }): Promise<boolean> {
  const child = execFile('openssl', [
    's_client',
    '-connect',
    `127.0.0.1:${portOf(daemon)}`,
    '-servername',
    HOST,
    '-CAfile',
    maker.caFile,
    '-ign_eof',
    version,
    ...(files.in === undefined ? [] : ['-sess_in', files.in]),
    ...(files.out === undefined ? [] : ['-sess_out', files.out]),
  ])
  let said = ''
  child.stdout?.on('data', (text: string) => (said += text))
  child.stderr?.on('data', (text: string) => (said += text))
  child.stdin?.on('error', () => {})
  child.stdin?.end(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
  await once(child, 'close')
  if (!/^(New|Reused), TLSv1/m.test(said)) throw new Error(said)
  if (!said.includes('HTTP/1.1 200')) throw new Error(`no answer: ${said}`)
  return /^Reused, /m.test(said)
}

/** Whether who was at one node resumes at the other. */
async function resumes(from: Daemon, to: Daemon, version: string): Promise<boolean> {
  const file = scene.path('session.pem')
  rmSync(file, { force: true })
  if (await visit(from, version, { out: file })) throw new Error('a first visit resumes nothing')
  if (!existsSync(file)) throw new Error('no ticket came')
  return await visit(to, version, { in: file })
}

const untilResumed = (from: Daemon, to: Daemon, version: string) =>
  eventually(`${version} of ${from.name} to be resumed at ${to.name}`, async () =>
    (await resumes(from, to, version).catch(() => false)) ? true : undefined,
  )

t.test('a session of one node is resumed at every other, in both versions of TLS', async (t) => {
  for (const daemon of cluster.daemons) await daemon.event('tickets.shared')
  for (const version of VERSIONS) {
    for (const [from, to] of [
      [first, second],
      [second, third],
      [third, first],
    ] as const) {
      await untilResumed(from, to, version)
      t.pass(`${version}: ${from.name} to ${to.name}`)
    }
  }
})

t.test('a node that starts again has the keys of the others', async (t) => {
  const file = scene.path('before.pem')
  await visit(first, '-tls1_3', { out: file })
  await second.stop()
  await second.start()
  await second.event('tickets.shared')
  await eventually('the session from before to be resumed', async () =>
    (await visit(second, '-tls1_3', { in: file }).catch(() => false)) ? true : undefined,
  )
  t.pass('resumed')
})

t.test('what a node knew that was broken into opens nothing any more', async (t) => {
  const before = VERSIONS.map((version) => ({ version, file: scene.path(`stolen${version}.pem`) }))
  for (const { version, file } of before) await visit(first, version, { out: file })
  for (const { version, file } of before) t.ok(await visit(second, version, { in: file }), `${version}: it would do`)
  await cluster.commit({ kind: 'node.remove', key: cluster.keyOf(third), how: 'revoke' })
  for (const { version, file } of before) {
    for (const daemon of [first, second])
      await eventually(`${daemon.name} to refuse it`, async () =>
        (await visit(daemon, version, { in: file })) ? undefined : true,
      )
  }
  for (const version of VERSIONS) {
    await untilResumed(first, second, version)
    for (const { file, version: old } of before)
      if (old === version) t.notOk(await visit(second, version, { in: file }), `${version}: with new keys`)
  }
})

t.test('no key is said in clear', async (t) => {
  for (const daemon of cluster.daemons) t.notMatch(daemon.output, /"box"|PRIVATE KEY/)
})
