import { writeFileSync } from 'node:fs'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { CertificateMaker } from '../support/certificate-maker.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Two daemons with workers: a certificate that is imported at one is shown by both, and swapped under clients. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const SWAPS = 5

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 2 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const [first, second] = cluster.daemons as [Daemon, Daemon]
const base = await findFreePorts([0, 1])
const portOf = (daemon: Daemon): number => base + cluster.daemons.indexOf(daemon)
for (const daemon of cluster.daemons) {
  const https = `workers = 2\nhttps_addr = "127.0.0.1:${portOf(daemon)}"`
  daemon.configure((text) => text.replace('workers = 0', https).replace('local_hosts = true', 'local_hosts = false'))
}
await cluster.start()

const maki = (args: readonly string[], cwd = scene.folder) =>
  scene.maki(args, { cwd, env: { MAKIATTO_PROFILE: cluster.profile } })

/** Imports a new certificate; resolves when the command has ended. */
async function importCertificate(t: Test, names: readonly string[], type: 'ec' | 'rsa' = 'ec'): Promise<string> {
  const { chain, key } = maker.make(names, type)
  writeFileSync(scene.path('cert.pem'), chain)
  writeFileSync(scene.path('key.pem'), key)
  const { code, stderr } = await maki(['cert', 'import', 'cert.pem', '--private-key', 'key.pem'])
  t.equal(code, 0, stderr)
  return key
}

async function curl(daemon: Daemon, url: string, ...args: readonly string[]): Promise<string> {
  const resolve = [portOf(daemon), daemon.layout.httpPort].flatMap((port) => ['--resolve', `${HOST}:${port}:127.0.0.1`])
  const { stdout, stderr } = await scene.run('curl', ['-sS', '--cacert', maker.caFile, ...resolve, ...args, url])
  return stdout + stderr
}

/** Serial number of the certificate that a new connection is shown; each connection may be another worker's. */
function shown(daemon: Daemon): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: portOf(daemon),
      servername: HOST,
      rejectUnauthorized: false,
      agent: false,
    }
    const sent = request({ ...options, headers: { host: HOST } }, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate()
      response.resume().on('end', () => resolve(serialNumber))
    })
    sent.on('error', reject).end()
  })
}

const site = writeProject(scene.path('shop'), { domain: HOST, files: { 'index.html': 'shop' } })

t.test('without a certificate nobody is sent to HTTPS, and HTTPS says no', async (t) => {
  const synced = await maki(['sync', '--wait', 'all'], site)
  t.equal(synced.code, 0, synced.stderr)
  t.equal(await curl(first, `http://${HOST}:${first.layout.httpPort}/`), 'shop')
  t.match(await curl(first, `https://${HOST}:${portOf(first)}/`), /alert|handshake/i)
})

t.test('what is imported at one node is shown by both, and HTTP leads there', async (t) => {
  const key = await importCertificate(t, [HOST, `*.${HOST}`])
  for (const daemon of cluster.daemons) {
    await eventually(`HTTPS of ${daemon.name}`, async () =>
      (await curl(daemon, `https://${HOST}:${portOf(daemon)}/`)) === 'shop' ? true : undefined,
    )
    const answer = await curl(daemon, `https://${HOST}:${portOf(daemon)}/`, '-i')
    t.match(answer, /^HTTP\/2 200/)
    t.match(answer, /strict-transport-security: max-age=31536000\r\n/)
    await eventually('the way to HTTPS', async () => {
      const found = await curl(daemon, `http://${HOST}:${daemon.layout.httpPort}/a?b`, '-i')
      return found.startsWith('HTTP/1.1 308') && found.includes(`location: https://${HOST}:${portOf(daemon)}/a?b\r\n`)
        ? true
        : undefined
    })
    t.equal(await curl(daemon, `http://${HOST}:${daemon.layout.httpPort}/`, '-L'), 'shop')
    const line = key.split('\n')[1] as string
    t.notOk(daemon.output.includes(line), 'the key is in no log')
  }
})

t.test('certificates are swapped while clients ask, and no request fails', async (t) => {
  const stopping = new AbortController()
  const failures: string[] = []
  let answers = 0
  const clients = cluster.daemons.map(async (daemon) => {
    while (!stopping.signal.aborted) {
      await shown(daemon).then(
        () => answers++,
        (error) => failures.push(String(error)),
      )
    }
  })
  for (let i = 0; i < SWAPS; i++) {
    const before = await shown(first)
    await importCertificate(t, [HOST, `*.${HOST}`], i % 2 === 0 ? 'rsa' : 'ec')
    for (const daemon of cluster.daemons)
      await eventually(`${daemon.name} to show another`, async () =>
        (await shown(daemon)) !== before ? true : undefined,
      )
  }
  stopping.abort()
  await Promise.all(clients)
  t.strictSame(failures, [])
  t.ok(answers > SWAPS)
  t.comment(`${answers} answers`)
})

t.test('control is killed and returns: TLS goes on', async (t) => {
  const url = `https://${HOST}:${portOf(second)}/`
  await second.killControl()
  for (let i = 0; i < 10; i++) t.equal(await curl(second, url), 'shop', 'without control')
  const asking = new AbortController()
  const failures: string[] = []
  const client = (async () => {
    while (!asking.signal.aborted) await shown(second).catch((error) => failures.push(String(error)))
  })()
  await second.start()
  for (let i = 0; i < 10; i++) t.equal(await curl(second, url), 'shop', 'with the next')
  asking.abort()
  await client
  t.strictSame(failures, [], 'also while workers changed')
})

t.test('nodes say where they serve HTTPS', async (t) => {
  await cluster.agreement()
  const status = await first.client.status()
  t.match(status.nodes.map((node) => node.serves?.https).sort(), [base, base + 1])
})
