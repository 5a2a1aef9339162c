import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { dlopen } from 'node:ffi'
import { closeSync, openSync } from 'node:fs'
import { decode, encode } from 'dns-packet'
import { hashBlob } from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { MeshCluster, type MeshNode } from '../e2e/support/mesh-cluster.ts'
import { Scene } from '../e2e/support/scene.ts'
import { addressOf, DOMAIN, domainSet, recordSet } from './changes.ts'
import { sleep } from './cluster.ts'
import { openPlainServer, readInMesh } from './mesh-read.ts'
import { latencies, line, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const OPERATIONS = 200
const PAUSE_MS = 15
const GIVE_UP_MS = 10_000
const BLOB_BYTES = 64 * 1024 * 1024
const ROUNDS = Number(process.env.ROUNDS ?? 5)
/** setns(2). */
const CLONE_NEWNET = 0x40000000

/**
 * Three nodes in network namespaces that reach each other over WireGuard alone, wireguard-go where the kernel has none: a record
 * that node 1 acknowledged until node 3 answers it, and a blob of node 1 read by node 3 beside plain TCP the same way. Root only.
 */
export async function benchMesh(): Promise<void> {
  title('The mesh: three nodes in network namespaces')
  await using scene = await Scene.open()
  await using mesh = await MeshCluster.make(scene)
  await mesh.start()
  await mesh.cluster.agreement()
  await benchChanges(mesh)
  await benchBlobs(mesh)
}

async function benchChanges(mesh: MeshCluster): Promise<void> {
  await mesh.cluster.commit(domainSet)
  await mesh.cluster.agreement()
  const socket = await socketIn(mesh.node(2))
  const times: number[] = []
  for (let i = 0; i < OPERATIONS + 10; i++) {
    await mesh.cluster.commit(recordSet(i))
    const acknowledgedMs = performance.now()
    while ((await askAddress(socket, `r${i}.${DOMAIN}`)) !== addressOf(i)) {
      if (performance.now() - acknowledgedMs > GIVE_UP_MS) throw new Error('a change was not answered')
      await sleep(1)
    }
    // The first ten warm up.
    if (i >= 10) times.push(performance.now() - acknowledgedMs)
    await sleep(PAUSE_MS * (0.5 + Math.random()))
  }
  socket.close()
  line('record set on node 1 → DNS on node 3', latencies(summarize(times)))
}

async function benchBlobs(mesh: MeshCluster): Promise<void> {
  const [first, third] = [mesh.node(0), mesh.node(2)]
  const blob = randomBytes(BLOB_BYTES)
  const hash = hashBlob(blob)
  await first.daemon.client.putBlobPack(encodePack([{ hash, sizeBytes: blob.length, chunks: [blob] }]))
  await using plain = await openPlainServer(first, BLOB_BYTES)
  const times = { blobs: [] as number[], plain: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    times.plain.push(await readInMesh(third, `http://[${first.address}]:${plain.port}/`, BLOB_BYTES))
    times.blobs.push(await readInMesh(third, `http://[${first.address}]:8282/blobs/${hash}`, BLOB_BYTES))
  }
  const rate = (ms: readonly number[]) => spread(summarize(ms.map((one) => BLOB_BYTES / 1e3 / one)), ' MB/s')
  line('plain TCP over the mesh', rate(times.plain))
  line('a blob over the mesh', rate(times.blobs))
  line('blob / plain TCP, throughput', spread(ratios(times.plain, times.blobs)))
}

/** A socket of this process that speaks to the DNS of a node on its own host. */
async function socketIn({ host }: MeshNode): Promise<Socket> {
  const { functions } = dlopen('libc.so.6', { setns: { arguments: ['int32', 'int32'], return: 'int32' } })
  const enter = (path: string): void => {
    const fd = openSync(path, 'r')
    const code = (functions.setns as (fd: number, kind: number) => number)(fd, CLONE_NEWNET)
    closeSync(fd)
    if (code !== 0) throw new Error(`cannot enter ${path}`)
  }
  const own = openSync('/proc/self/ns/net', 'r')
  try {
    enter(`/proc/${host.holder.pid}/ns/net`)
    const socket = createSocket('udp4').unref()
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return socket
  } finally {
    enter(`/proc/self/fd/${own}`)
    closeSync(own)
  }
}

async function askAddress(socket: Socket, name: string): Promise<string | undefined> {
  const id = Math.floor(Math.random() * 65_536)
  socket.send(encode({ type: 'query', id, questions: [{ name, type: 'A' }] }), 53, '127.0.0.1')
  const signal = AbortSignal.timeout(1000)
  for (;;) {
    const received = await once(socket, 'message', { signal }).catch(() => undefined)
    if (received === undefined) return undefined
    const answer = decode(received[0] as Buffer)
    if (answer.id !== id) continue
    const record = answer.answers?.[0]
    return record?.type === 'A' ? record.data : undefined
  }
}
