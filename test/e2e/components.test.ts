import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { type BlobHash, type Hostname, Manifest } from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { eventually } from '../support/eventually.ts'
import { buildInjection, buildWatGuest, type GuestName } from '../support/guests/build-wat.ts'
import { createRandom } from '../support/seeds.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { sha256, Visitor } from './support/http.ts'
import { Scene } from './support/scene.ts'

/** A real node makes the components of a release ready before it switches, once, and keeps them over whatever happens to it. */

t.setTimeout(0)
const HOST = 'shop.test' as Hostname
const OTHER = 'other.test' as Hostname

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const node = cluster.daemons[0] as Daemon
const folder = join(node.layout.dataDirectory, 'components')
using visitor = new Visitor({ connections: 1 })

async function publish(domain: Hostname, page: string, ...components: Uint8Array[]): Promise<void> {
  const bytes = Buffer.from(page)
  const hash = sha256(page) as BlobHash
  const encoded = Manifest.of([{ path: 'index.html', hash, sizeBytes: bytes.length }]).encode()
  const items = [{ bytes, hash }, encoded, ...components.map((one) => ({ bytes: one, hash: sha256(one) as BlobHash }))]
  await node.client.putBlobPack(
    encodePack(items.map((item) => ({ hash: item.hash, sizeBytes: item.bytes.length, chunks: [item.bytes] }))),
  )
  await cluster.commit({
    kind: 'release.publish',
    domain,
    manifest: encoded.hash,
    tree: encoded.tree,
    files: 1,
    bytes: bytes.length,
    aliases: [],
    functions: components.map((one, i) => ({
      path: `api/${i}.wasm`,
      component: sha256(one) as BlobHash,
    })),
  })
}

const served = (domain: Hostname, page: string): Promise<true> =>
  eventually(`${domain} to serve ${page}`, async () => {
    const { body } = await visitor.get(node.http, domain, '/')
    return body.toString() === page ? true : undefined
  })

const kept = (): string[] => readdirSync(folder).filter((name) => /^[0-9a-f]{64}-/.test(name))

async function metric(name: string): Promise<number | undefined> {
  const socket = controlSocketPath(node.layout, {})
  const { stdout } = await scene.run('curl', ['-s', '--unix-socket', socket, 'http://node/metrics'])
  const line = stdout.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.split(' ')[1])
}

const positionOf = (event: string, text = ''): number =>
  node.log.findIndex((line) => line.event === event && JSON.stringify(line).includes(text))

const guest = (name: GuestName): Promise<Uint8Array> => buildWatGuest(name)

await node.start()
for (const domain of [HOST, OTHER])
  await cluster.commit({ kind: 'domain.set', domain, spa: false, onConcurrent: 'latest', previews: true })

t.test('a release is switched to when its component is ready', async (t) => {
  await publish(HOST, 'first')
  await served(HOST, 'first')
  const component = await guest('http-echo')
  await publish(HOST, 'second', component)
  await served(HOST, 'second')
  const waited = await node.event('release.waited')
  t.match(waited, { domain: HOST, notReady: 0 })
  const ready = positionOf('component.ready', sha256(component))
  t.ok(ready !== -1 && ready < positionOf('release.waited'), 'first ready, then switched')
  t.match(node.log[ready], { world: 'http' })
  t.match(kept(), [new RegExp(`^${sha256(component)}-`)])
  t.equal(await metric('makiatto_components{state="ready"}'), 1)
})

t.test('another site with the same component waits for nothing', async (t) => {
  await publish(OTHER, 'other, first')
  await served(OTHER, 'other, first')
  await publish(OTHER, 'other', await guest('http-echo'))
  await served(OTHER, 'other')
  t.equal(positionOf('release.waited', OTHER), -1)
  t.equal(await metric('makiatto_component_builders_total'), 1)
})

t.test('what cannot be run keeps no page from being served, and the node says so', async (t) => {
  const evil = await buildInjection('core-export')
  await publish(HOST, 'third', evil)
  await served(HOST, 'third')
  t.match(await node.event('component.unfit', sha256(evil)), { code: 'unsafe-name' })
  t.notOk(kept().some((name) => name.startsWith(sha256(evil))))
  t.equal(await metric('makiatto_components{state="unfit"}'), 1)
})

t.test('a start finds it ready; what the disk has damaged is made again', async (t) => {
  await publish(HOST, 'fourth', await guest('http-echo'), await guest('http-trap'))
  await served(HOST, 'fourth')
  await node.kill()
  await node.start()
  await served(HOST, 'fourth')
  t.equal(await metric('makiatto_component_builders_total'), 0)
  t.equal(await metric('makiatto_components{state="ready"}'), 2)
  await node.kill()
  const [first = ''] = kept()
  writeFileSync(join(folder, first, 'glue.js'), 'globalThis.PWNED = 1')
  await node.start()
  t.match(await node.event('component.ready', first.slice(0, 64)), { world: 'http' })
  await eventually('both', async () => ((await metric('makiatto_components{state="ready"}')) === 2 ? true : undefined))
})

t.test('killed at any moment of it, the node makes it ready at the next start', async (t) => {
  const component = await guest('http-blank')
  const random = createRandom(Number(process.env.SEED ?? 1))
  await publish(HOST, 'fifth', component)
  for (let i = 0; i < 4; i++) {
    // It may be anywhere by then: between two lines of its log, in the middle of a build, or done.
    const lines = random.integer(6)
    await eventually('some of its log', () => (node.log.length > lines ? true : undefined))
    await node.kill()
    rmSync(join(folder, 'faults.json'), { force: true })
    await node.start()
  }
  await served(HOST, 'fifth')
  await eventually('it to be ready', async () => {
    const names = kept().filter((name) => name.startsWith(sha256(component)))
    return names.length === 1 ? true : undefined
  })
  t.strictSame(readdirSync(join(folder, 'incoming')), [], 'and nothing half done is left')
})

t.test('where WebAssembly is switched off nothing is made ready, and sites are served', async (t) => {
  await node.stop()
  rmSync(folder, { recursive: true })
  node.configure((text) => `${text}\n[wasm]\nenabled = false\n`)
  await node.start()
  await publish(HOST, 'sixth', await guest('http-echo'))
  await served(HOST, 'sixth')
  t.equal(await metric('makiatto_components{state="ready"}'), undefined)
  t.throws(() => readdirSync(folder))
})
