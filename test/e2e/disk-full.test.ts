import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import t from 'tap'
import { type Hostname, hashBlob, type MakiError, operationIdOf } from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom } from '../support/seeds.ts'
import { type Daemon, DaemonCluster, listOperations } from './support/daemons.ts'
import { encodePath, Visitor } from './support/http.ts'
import { PowerCutWriter } from './support/power-cut-writer.ts'
import { Scene } from './support/scene.ts'

/**
 * A node on a disk that fills up: blobs stop before the log does, then the log refuses and says why; what is served goes
 * on being served, what was acknowledged is kept, and with room again a start brings all back. The disk is a tmpfs in a
 * mount namespace of its own, which grows and shrinks; that takes root.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
/** Blobs leave 512 MB to the log; so much is above that. */
const ROOM_FOR_BLOBS_MIB = 24
const SIZE_MIB = 512 + ROOM_FOR_BLOBS_MIB
/** More than fits. */
const MAX_WRITES = 20_000

if (process.getuid?.() === 0) await run()
else t.test('a disk that is full', { skip: 'mounting a small disk takes root' }, async () => {})

async function run(): Promise<void> {
  const scene = await Scene.open()
  t.teardown(() => scene[Symbol.asyncDispose]())
  const cluster = await DaemonCluster.make(scene, { nodes: 2 })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  const [small, large] = cluster.daemons as [Daemon, Daemon]
  const data = small.layout.dataDirectory
  const mountPoint = scene.path('small')
  mkdirSync(mountPoint)
  const mount = `mount -t tmpfs -o size=${SIZE_MIB}m tmpfs "$1" && cp -a "$2/." "$1/" && mount --bind "$1" "$2" && echo ready && read -r _`
  const holder = new Child('unshare', ['-m', 'sh', '-c', mount, 'sh', mountPoint, data], { env: scene.env })
  t.teardown(() => holder[Symbol.asyncDispose]())
  await holder.waitForLine((line) => line === 'ready')
  const inside = ['nsenter', '-m', '-t', String(holder.pid)]
  small.wrapper = inside
  const resize = async (size: string): Promise<void> => {
    const [command = '', ...args] = [...inside, 'mount', '-o', `remount,size=${size}`, mountPoint]
    const { code, stderr } = await scene.run(command, args)
    if (code !== 0) throw new Error(`the small disk cannot be resized: ${stderr}`)
  }
  const usedKib = async (): Promise<number> => {
    const [command = '', ...args] = [...inside, 'df', '--output=used', mountPoint]
    return Number((await scene.run(command, args)).stdout.split('\n')[1])
  }
  await cluster.start()

  const last = cluster.seed.at(-1)
  if (last === undefined) throw new Error('the cluster has no operation')
  const { id, operator } = cluster
  const random = createRandom(1)
  const writer = new PowerCutWriter(small, { cluster: id, operator, last, random, domain: 'w.test' as Hostname })
  const write = async (writes: number): Promise<MakiError | undefined> => {
    const stop = new AbortController()
    let left = writes
    writer.onAcknowledged = () => {
      if (--left === 0) stop.abort()
    }
    return writer.run(stop.signal).then(
      () => undefined,
      (error: unknown) => error as MakiError,
    )
  }
  const isServed = async (): Promise<boolean> => {
    using visitor = new Visitor()
    const release = writer.releases.at(-1)
    for (const [path, content] of release?.files ?? []) {
      const { body } = await visitor.get(small.http, writer.domain, encodePath(path))
      if (!body.equals(content)) return false
    }
    return release !== undefined
  }

  t.test('blobs stop first, and leave the log its part', async (t) => {
    t.equal(await write(8), undefined)
    await eventually('the release is served', async () => ((await isServed()) ? true : undefined))
    const refused = await (async () => {
      for (let i = 0; i < ROOM_FOR_BLOBS_MIB; i++) {
        const bytes = randomBytes(2 * 1024 * 1024)
        const item = { hash: hashBlob(bytes), sizeBytes: bytes.length, chunks: [bytes] }
        try {
          await small.client.putBlobPack(encodePack([item]))
        } catch (error) {
          return error
        }
      }
      return undefined
    })()
    t.match(refused, { code: 'MAKI_DISK_FULL', message: /kept for the log/, hint: /[Dd]isk/ })
    writer.publishes = false
    t.equal(await write(5), undefined, 'operations are still taken')
  })

  t.test('the log is full: refused by name, and the site is still served', async (t) => {
    await resize(`${(await usedKib()) + 256}k`)
    const error = await write(MAX_WRITES)
    t.match(error, { code: 'MAKI_DISK_FULL', message: /the disk is full: cannot append/, hint: /disk/ })
    t.ok(await isServed(), 'the site is served')
    t.type((await small.client.status()).self, 'string', 'the node answers')
    t.ok(small.isRunning)
  })

  t.test('with room again a start brings all back, and what others wrote meanwhile', async (t) => {
    const elsewhere = new PowerCutWriter(large, { cluster: id, operator, last, random, domain: 'e.test' as Hostname })
    const stop = new AbortController()
    let left = 5
    elsewhere.onAcknowledged = () => {
      if (--left === 0) stop.abort()
    }
    await elsewhere.run(stop.signal)
    await resize(`${SIZE_MIB}m`)
    await small.stop()
    await small.start()
    t.notOk(
      small.log.some(({ event }) => event === 'store.damaged'),
      'a full disk is no damage',
    )
    const wanted = [...writer.acknowledged, ...elsewhere.acknowledged]
    for (const { name, client } of cluster.daemons) {
      const missing = await eventually(`all operations at ${name}`, async () => {
        const here = new Set((await listOperations(client)).map((bytes) => operationIdOf(bytes, id)))
        return wanted.every((one) => here.has(one)) ? [] : undefined
      })
      t.strictSame(missing, [], `${name} has all that was acknowledged`)
    }
    const statuses = await cluster.agreement()
    t.strictSame(
      statuses.flatMap((status) => status.void),
      [],
    )
    t.ok(await isServed())
  })

  t.test('nothing is left behind', async (t) => {
    await Promise.all(cluster.daemons.map((daemon) => daemon.stop()))
    await holder[Symbol.asyncDispose]()
    t.strictSame(await scene.leftovers(), [])
  })
}
