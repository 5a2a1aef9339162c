import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as pem from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import { MAKI, Scene } from './support/scene.ts'
import { startWiretap } from './support/wiretap.ts'

/** Promise 7, between two nodes: who listens to all that they say to each other hears no secret. */

t.setTimeout(0)

const HOST = 'wire.test'
const TOKEN = 'marker-of-a-token-2b9e61f4aa'
const NEXT_TOKEN = 'marker-of-the-next-token-90c1'
const FROM_FILE = 'marker-of-an-env-file-7d0a3c5e'
const PLANTED = 'marker-planted-in-clear-44f0e1'
const KEY_LINE = pem.LEAF_KEY.split('\n')[1] as string

/** A text as it stands, and as the encodings that it could travel in spell it. */
const spellings = (text: string): Buffer[] =>
  [text, Buffer.from(text).toString('base64url').slice(0, -3), Buffer.from(text).toString('hex')].map((one) =>
    Buffer.from(one),
  )
const MARKERS = [
  ...[TOKEN, NEXT_TOKEN, FROM_FILE, KEY_LINE].flatMap(spellings),
  Buffer.from(KEY_LINE, 'base64').subarray(4, 40),
]

const functions = (token: string) =>
  `[[domain.functions]]\npath = "api/pay.wasm"\nenv = { TOKEN = "${token}" }\nenv_file = "pay.env"\n`

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 2 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const [first, second] = cluster.daemons as [Daemon, Daemon]
const tap = await startWiretap({ host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: first.layout.gossipPort })
t.teardown(() => tap[Symbol.dispose]())
// The only way between the two leads through the tap.
first.configure((text) => text.replace(/^bootstrap = .*$/m, 'bootstrap = []'))
second.configure((text) => text.replace(/^bootstrap = .*$/m, `bootstrap = ["127.0.0.1:${tap.port}"]`))
await cluster.start()

const maki = (args: readonly string[], cwd = scene.folder) =>
  scene.maki(args, { cwd, env: { MAKIATTO_PROFILE: cluster.profile } })
const hears = (text: string): boolean => tap.heard().includes(Buffer.from(text))

t.test('the tap hears what nodes say to each other', async (t) => {
  const shop = writeProject(scene.path('shop'), { domain: HOST, files: { 'index.html': 'shop' } })
  const synced = await maki(['sync'], shop)
  t.equal(synced.code, 0, synced.stderr)
  const set = await maki(['record', 'set', HOST, 'planted', 'TXT', PLANTED])
  t.equal(set.code, 0, set.stderr)
  await eventually('the planted text on the wire', () => (hears(PLANTED) ? true : undefined))
})

t.test('secrets are published, changed, compared and brought to a node that was away', async (t) => {
  const shop = writeProject(scene.path('shop'), {
    domain: HOST,
    files: { 'index.html': 'shop', 'api/pay.wasm': await buildWatGuest('http-echo') },
    more: functions(TOKEN),
  })
  writeFileSync(join(shop, 'pay.env'), `PASSWORD='${FROM_FILE}'\n`)
  const given = scene.path('given')
  mkdirSync(given)
  for (const [name, text] of Object.entries(pem)) writeFileSync(join(given, name), text)
  for (const [args, cwd] of [
    [['sync'], shop],
    [['sync'], shop],
  ] as const) {
    const { code, stderr } = await maki(args, cwd)
    t.equal(code, 0, stderr)
  }
  // As a program hands it over that wrote the key to no file: a socket, which cannot be opened by a name.
  const importing = spawn(MAKI, ['cert', 'import', 'LEAF', 'INTERMEDIATE', '--private-key', '-'], {
    cwd: given,
    env: { ...scene.env, MAKIATTO_PROFILE: cluster.profile },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  importing.stdin.end(pem.LEAF_KEY)
  const said = (await importing.stderr.toArray()).join('')
  t.equal(importing.exitCode ?? (await once(importing, 'exit'))[0], 0, said)
  await cluster.agreement()
  await second.kill()
  writeProject(shop, { domain: HOST, more: functions(NEXT_TOKEN) })
  const synced = await maki(['sync', '--wait', 'none'], shop)
  t.equal(synced.code, 0, synced.stderr)
  const before = tap.connections
  await second.start()
  const all = await cluster.agreement()
  t.ok(tap.connections > before)
  t.equal(all.length, 2)
  for (const daemon of cluster.daemons) await daemon.event('certificate.opened')
})

t.test('nothing of them was on the wire', async (t) => {
  t.ok(hears('seal.grant') && hears('certificate.set') && hears('api/pay.wasm'), 'the operations themselves were heard')
  const heard = tap.heard()
  t.same(
    MARKERS.filter((marker) => heard.includes(marker)).map(String),
    [],
    `${heard.length} bytes in ${tap.connections} connections`,
  )
})
