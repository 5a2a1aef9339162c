import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { systemRuntime } from '../../cli/system.ts'
import { silentLog } from '../../core/index.ts'
import { openLevelStore, Replica } from '../../replication/index.ts'
import { Author } from './author.ts'
import { domainSet, recordSet } from './changes.ts'
import { startCluster } from './cluster.ts'
import { line, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ROUNDS = 20
/** Writes of each kind in a round, one after another. */
const WRITES = 25

/**
 * One write at a time, from the call to the acknowledgement: a put of the same bytes into a bare Level with fsync, the
 * commit of a replica (sign, check, fsync, fold), and a signed operation handed to a node of a cluster of three.
 */
export async function benchCommit(): Promise<void> {
  title('1. Commit to acknowledgement, fsync included')
  await using owned = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  owned.defer(() => rm(folder, { recursive: true, force: true }))
  const cluster = owned.use(await startCluster(3))
  const node = cluster.nodes[0]!
  const author = await Author.at(cluster, node)
  await node.control.accept([author.make([domainSet]).bytes])

  const bare = new Level<Uint8Array, Uint8Array>(join(folder, 'bare'), { keyEncoding: 'view', valueEncoding: 'view' })
  await bare.open()
  owned.defer(() => bare.close())
  const { signer } = cluster
  const store = await openLevelStore({
    directory: join(folder, 'replica'),
    cluster: cluster.cluster,
    runtime: systemRuntime,
    log: silentLog,
  })
  owned.use(store)
  const replica = owned.use(
    await Replica.open({ store, cluster: cluster.cluster, runtime: systemRuntime, log: silentLog }),
  )
  const { operations } = await node.control.operations(undefined)
  await replica.submit(operations)
  const sizeBytes = author.make([recordSet(0)]).bytes.length

  const times = { put: [] as number[], commit: [] as number[], http: [] as number[] }
  const all = { put: [] as number[], commit: [] as number[], http: [] as number[] }
  const own = await Author.at(cluster, node)
  for (let round = 0; round <= ROUNDS; round++) {
    const put: number[] = []
    const commit: number[] = []
    const http: number[] = []
    for (let i = 0; i < WRITES; i++) {
      const n = round * WRITES + i
      const key = Buffer.alloc(8)
      key.writeUInt32BE(n, 4)
      put.push(await time(() => bare.put(key, Buffer.alloc(sizeBytes, n), { sync: true })))
      commit.push(await time(() => replica.commit(signer, [recordSet(n)])))
      const { bytes } = own.make([recordSet(n)])
      http.push(await time(() => node.control.accept([bytes])))
    }
    // The first round warms up.
    if (round === 0) continue
    for (const [name, series] of Object.entries({ put, commit, http })) {
      times[name as keyof typeof times].push(summarize(series).median)
      all[name as keyof typeof all].push(...series)
    }
  }
  line(
    'bare Level put with fsync',
    `${spread(summarize(times.put), ' ms')}  p95 of all ${summarize(all.put).p95.toFixed(2)}`,
  )
  line(
    'commit at a replica',
    `${spread(summarize(times.commit), ' ms')}  p95 of all ${summarize(all.commit).p95.toFixed(2)}`,
  )
  line(
    'POST /v1/operations',
    `${spread(summarize(times.http), ' ms')}  p95 of all ${summarize(all.http).p95.toFixed(2)}`,
  )
  line('commit / put', spread(ratios(times.commit, times.put)))
  line('POST / put', spread(ratios(times.http, times.put)))
  line('what the hop adds', spread(summarize(times.http.map((ms, i) => ms - times.commit[i]!)), ' ms'))
}

async function time(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await act()
  return performance.now() - started
}
