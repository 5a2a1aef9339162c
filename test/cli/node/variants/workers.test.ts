import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { EdgeOptions } from '../../../../cli/node/edge-messages.ts'
import { EdgePool } from '../../../../cli/node/edge-pool.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import { createOperation, Fold, hashBlob, nextStamp, silentLog } from '../../../../core/index.ts'
import { eventually } from '../../../support/eventually.ts'
import { createTestCluster } from '../../../support/histories.ts'
import { createRandom } from '../../../support/seeds.ts'
import { MadeSite, writeText } from './made-site.ts'

t.test('workers serve what control has made, and so do those that come after a death', async (t) => {
  const directory = t.testdir({})
  const site = await MadeSite.open(directory)
  const page = writeText(createRandom(1), 9000)
  const release = await site.publish({ 'index.html': page })
  const register = join(directory, 'workers')
  mkdirSync(register)
  const http = { host: '127.0.0.1', port: 0, maxConcurrentRequests: 64, requestTimeoutMs: 60_000, localHosts: true }
  const options: EdgeOptions = {
    node: 'one',
    blobsDirectory: directory,
    variantsDirectory: site.variants,
    dns: undefined,
    http,
    reusePort: true,
  }
  await using pool = new EdgePool({ edge: options, workers: 1, register, runtime: systemRuntime, log: silentLog })
  const cluster = createTestCluster()
  const fold = new Fold()
  pool.apply(fold.add(cluster.creation))
  const { id, stamp } = cluster.creation
  const changes = [
    { kind: 'domain.set', domain: release.domain, spa: false, onConcurrent: 'latest', previews: true },
  ] as const
  pool.apply(
    fold.add(
      createOperation(cluster.operator, cluster.id, {
        stamp: nextStamp(0, [stamp]),
        heads: [id],
        changes: [...changes],
      }),
    ),
  )
  await pool.activate(release.domain, release)
  const addresses = await pool.listen()
  const ask = async () => {
    const url = `http://127.0.0.1:${addresses.http?.port}/`
    const response = await fetch(url, { headers: { 'accept-encoding': 'gzip', connection: 'close' } })
    return { coding: response.headers.get('content-encoding'), body: Buffer.from(await response.arrayBuffer()) }
  }
  t.strictSame(await ask(), { coding: null, body: Buffer.from(page) }, 'until it lies ready')
  await using _maker = site.start({ announce: (records) => pool.setVariants(records) })
  await eventually('it is sent encoded', async () => ((await ask()).coding === 'gzip' ? true : undefined))
  const [pid] = readdirSync(register).filter((name) => /^[0-9]+$/.test(name))
  process.kill(Number(pid), 'SIGKILL')
  const { coding, body } = await eventually('another worker answers', ask)
  t.equal(coding, 'gzip')
  // `fetch` has decoded it.
  t.ok(body.equals(page))
  t.equal(hashBlob(body), hashBlob(page))
})
