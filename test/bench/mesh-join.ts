import { execFile } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { promisify } from 'node:util'
import { createOperation, decodeOperation, hashBlob, nextStamp, type Operation } from '../../core/index.ts'
import { MeshCluster, type MeshNode } from '../e2e/support/mesh-cluster.ts'
import { writeProject } from '../e2e/support/project.ts'
import { Scene } from '../e2e/support/scene.ts'
import { addressOf, DOMAIN, domainSet, recordSet } from './changes.ts'
import { sleep } from './cluster.ts'
import { openPlainServer, readInMesh } from './mesh-read.ts'
import { line, number, title } from './report.ts'

const run = promisify(execFile)
const OPERATIONS = 10_000
const FILES = Number(process.env.FILES ?? 1024)
const FILE_BYTES = 1024 * 1024
const BATCH = 1000
const SITE = 'files.example'
const LOOK_MS = 20

/**
 * A node joins two others that have 10,000 operations and a site of 1 GB (`FILES` of 1 MB each), over WireGuard alone: when it answers
 * the newest record, when it serves a file that it has not fetched yet, and when it has all, beside the time that the same bytes take
 * over plain TCP through the same tunnel. Root only.
 */
export async function benchMeshJoin(): Promise<void> {
  title(`A node joins: ${OPERATIONS} operations and ${FILES} MB, in network namespaces`)
  await using scene = await Scene.open()
  await using mesh = await MeshCluster.make(scene)
  const [first, second, third] = mesh.nodes as [MeshNode, MeshNode, MeshNode]
  await Promise.all([first.daemon.start(), second.daemon.start()])
  await mesh.cluster.commit(domainSet)
  await write(mesh)
  const contents = Array.from({ length: FILES }, () => randomFillSync(Buffer.allocUnsafe(FILE_BYTES)))
  const files = Object.fromEntries(contents.map((bytes, i) => [`f${i}.bin`, bytes]))
  const project = writeProject(scene.path('site'), { domain: SITE, files })
  const env = { MAKIATTO_PROFILE: mesh.cluster.profile }
  const synced = await scene.maki(['sync', '--wait', 'up'], { cwd: project, env })
  if (synced.code !== 0) throw new Error(synced.stderr)
  const bytes = FILES * FILE_BYTES
  await using _plain = await openPlainServer(first, bytes)
  const linkMs = await readInMesh(second, `http://[${first.address}]:${_plain.port}/`, bytes)
  const hashes = contents.map((content) => hashBlob(content))

  const beganMs = performance.now()
  await third.daemon.start()
  const within = async (what: string, look: () => Promise<boolean>): Promise<number> => {
    while (!(await look().catch(() => false))) await sleep(LOOK_MS)
    const ms = performance.now() - beganMs
    line(what, `${number(ms / 1000)} s after its start`)
    return ms
  }
  const last = OPERATIONS - 1
  const dig = ['dig', '+short', '+tries=1', '+time=1', '@127.0.0.1', `r${last}.${DOMAIN}`]
  const curl = ['curl', '-sf', '-o', '/dev/null', '-H', `Host: ${SITE}`, `http://127.0.0.1/f${FILES - 1}.bin`]
  const onHost = async (command: readonly string[]): Promise<string> => {
    const [program, ...args] = [...third.host.wrapper, ...command] as [string, ...string[]]
    return (await run(program, args)).stdout
  }
  await within('the newest record is answered', async () => (await onHost(dig)).trim() === addressOf(last))
  await within('a file is served', async () => (await onHost(curl)) === '')
  const wholeMs = await within(
    'all files are there',
    async () => (await third.daemon.client.missingBlobs(hashes)).length === 0,
  )
  line('plain TCP over the same WireGuard', `${number(linkMs / 1000)} s`)
  line('all / plain TCP', number(wholeMs / linkMs))
}

/** Records, one operation each, one after the other. */
async function write({ cluster }: MeshCluster): Promise<void> {
  const [daemon] = cluster.daemons as [MeshNode['daemon']]
  const known: Operation[] = []
  for (let after: string | undefined; ; ) {
    const page = await daemon.client.operations(after)
    known.push(...page.operations.map((one) => decodeOperation(one, cluster.id)))
    after = page.cursor
    if (!page.more) break
  }
  const followed = new Set(known.flatMap(({ heads }) => heads))
  let heads = known.filter(({ id }) => !followed.has(id))
  for (let from = 0; from < OPERATIONS; from += BATCH) {
    const batch: Uint8Array[] = []
    for (let i = from; i < from + BATCH; i++) {
      const operation = createOperation(cluster.operator, cluster.id, {
        stamp: nextStamp(
          Date.now(),
          heads.map(({ stamp }) => stamp),
        ),
        heads: heads.map(({ id }) => id),
        changes: [recordSet(i)],
      })
      heads = [operation]
      batch.push(operation.bytes)
    }
    await daemon.client.accept(batch)
  }
}
