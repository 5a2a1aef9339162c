import t from 'tap'
import type { EdgeCounters } from '../../../cli/node/edge-messages.ts'
import { formatMetrics } from '../../../cli/node/metrics.ts'
import { WorkerTally } from '../../../cli/node/worker-tally.ts'
import type { Hostname } from '../../../core/index.ts'
import { newCounters } from '../../../edge/server/counters.ts'
import { RequestMetrics } from '../../../edge/server/request-metrics.ts'
import { parsePrometheus } from '../../support/prometheus.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

/** A worker as the tally hears it, and what it really did. */
class FakeWorker {
  readonly metrics = new RequestMetrics()
  readonly http = newCounters()
  readonly assets = { assetsHere: 0, assetsFetched: 0, assetsAbsent: 0, assetsUnasked: 0 }
  readonly pid: number

  constructor(pid: number) {
    this.pid = pid
  }

  work(random: Random, domains: number): void {
    for (let i = random.integer(20); i > 0; i--) {
      this.http.requests++
      this.http.decided += random.integer(2)
      this.assets[random.pick(['assetsHere', 'assetsFetched', 'assetsAbsent', 'assetsUnasked'] as const)]++
      const domain = random.chance(0.1) ? undefined : (`d${random.integer(domains)}.test` as Hostname)
      const method = random.pick(['GET', 'HEAD', 'POST', 'BREW', '"\n'])
      const protocol = random.pick(['http/1.1', 'h2'] as const)
      this.metrics.count(domain, method, random.pick([200, 304, 404, 503, 999]), protocol, random.next(), 10)
    }
    this.http.active = random.integer(5)
  }

  get counters(): EdgeCounters {
    return {
      dns: undefined,
      http: { ...this.http, responses: [...this.http.responses] },
      assets: { ...this.assets },
      requests: this.metrics.snapshot(),
      accessLinesDropped: 0,
      workers: { running: 0, died: 0 },
    }
  }
}

const page = (counters: EdgeCounters) =>
  parsePrometheus(
    formatMetrics({
      ...counters,
      operations: 1,
      nodesUp: 1,
      peersAvailable: 0,
      fetched: {},
      care: {},
      damagedBlobs: 0,
      unservable: 0,
      gossip: {},
      aliases: undefined,
      sought: { found: 3, absent: 2, refused: 1 },
      placesBuiltAt: undefined,
      seals: { epochsHeld: 0, grantsRefused: 0, dutiesDone: 0, open: 0, unusable: 0 },
    }),
  )

for (const seed of seeds(20)) {
  t.test(`whoever dies, no counter goes back and no label is unbounded, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const tally = new WorkerTally()
    let pid = 0
    let died = 0
    let heard = 0
    const before = new Map<string, number>()
    const workers = new Map<FakeWorker, number>()
    const active = new Map<FakeWorker, number>()
    for (let step = 0; step < 60; step++) {
      if (workers.size < 3 || random.chance(0.1)) workers.set(new FakeWorker(++pid), 0)
      const worker = random.pick([...workers.keys()])
      worker.work(random, seed % 2 === 0 ? 5 : 500)
      if (random.chance(0.8)) {
        heard += worker.http.requests - (workers.get(worker) ?? 0)
        workers.set(worker, worker.http.requests)
        active.set(worker, worker.http.active)
        tally.hear(worker.pid, worker.counters)
      }
      if (random.chance(0.2)) {
        const wasKilled = random.chance(0.5)
        if (wasKilled) died++
        workers.delete(worker)
        active.delete(worker)
        tally.retire(worker.pid, wasKilled)
      }
      const { total } = tally
      t.equal(total.http?.requests ?? 0, heard, 'all that was said')
      t.equal(total.workers.died, died)
      const underWay = [...active.values()].reduce((sum, count) => sum + count, 0)
      t.equal(total.http?.active ?? 0, underWay, 'what was under way in a dead worker is over')
      if (total.http === undefined) continue
      const families = page(total)
      let series = 0
      for (const [name, { type, samples }] of families) {
        for (const sample of samples) {
          const id = `${sample.name}${JSON.stringify(sample.labels)}`
          if (type !== 'gauge' && sample.value < (before.get(id) ?? 0)) t.fail(`${id} went back`)
          before.set(id, sample.value)
        }
        if (name === 'makiatto_other_assets_total') {
          const sum = samples.reduce((total, { value }) => total + value, 0)
          t.equal(sum, heard, 'one file of another release for each request')
        }
        if (name === 'server_request_count_total') {
          series = new Set(samples.map(({ labels }) => labels.domain)).size
          const sum = samples.reduce((total, { value }) => total + value, 0)
          t.equal(sum, heard, 'each request counts once')
        }
      }
      t.ok(series <= 101, `${series} domains`)
    }
  })
}

t.test('a page of no worker is one, too', async (t) => {
  const families = page(new WorkerTally().total)
  t.equal(families.get('makiatto_workers')?.samples[0]?.value, 0)
  t.equal(families.get('server_peers_available')?.type, 'gauge')
  const seeks = families.get('makiatto_seeks_total')?.samples ?? []
  t.strictSame(
    seeks.map(({ labels, value }) => [labels.outcome, value]),
    [
      ['found', 3],
      ['refused', 1],
      ['absent', 2],
    ],
  )
})

t.test('the reader refuses what a scraper would', async (t) => {
  const head = '# HELP a_total b\n# TYPE a_total counter\n'
  t.equal(parsePrometheus(`${head}a_total{x="1\\n\\"\\\\"} 1\n`).get('a_total')?.samples[0]?.labels.x, '1\n"\\')
  for (const text of [
    `${head}a_total 1`,
    `${head}a_total{x="1} 1\n`,
    `${head}a_total{x="1"} 1\na_total{x="1"} 2\n`,
    `${head}b_total 1\n`,
    `${head}a_total one\n`,
    `${head}a_total -1\n`,
    head,
    'a_total 1\n',
    '# HELP a b\n# TYPE a counter\na 1\n',
    '# HELP h b\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    '# HELP h b\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
    '# HELP h b\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
  ])
    t.throws(() => parsePrometheus(text), text)
})
