import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createCluster } from '../../../cli/client/create-cluster.ts'
import { EMPTY_EXCHANGE_LOG, readExchangeLog, writeExchangeLog } from '../../../cli/client/exchange-log.ts'
import { LocalReplica } from '../../../cli/client/local-replica.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Runtime, silentLog } from '../../../core/index.ts'
import { keepAwake } from '../support/keep-awake.ts'

const make = (dir: string) =>
  createCluster({
    name: 'test',
    operatorName: 'me',
    dataDir: join(dir, 'data'),
    recoveryKeyPath: join(dir, 'recovery.key'),
    runtime: systemRuntime,
  })

t.test('a second one waits for the first, and says so once', async (t) => {
  using _awake = keepAwake()
  const { cluster, folder } = await make(t.testdir())
  const first = await LocalReplica.open({ cluster, folder, runtime: systemRuntime, log: silentLog })
  let waits = 0
  await using second = await LocalReplica.open({
    cluster,
    folder,
    runtime: systemRuntime,
    log: silentLog,
    onWait: () => {
      waits++
      void first[Symbol.asyncDispose]()
    },
  })
  t.equal(waits, 1)
  t.ok(second.isKnown)
})

t.test('after ten seconds it gives up with MAKI_LOCKED, and can be interrupted before', async (t) => {
  using _awake = keepAwake()
  const { cluster, folder } = await make(t.testdir())
  await using _first = await LocalReplica.open({ cluster, folder, runtime: systemRuntime, log: silentLog })
  let clockMs = 0
  const fast: Runtime = {
    ...systemRuntime,
    monotonic: () => clockMs,
    after(delayMs, call) {
      clockMs += delayMs
      const immediate = setImmediate(call)
      return () => clearImmediate(immediate)
    },
  }
  await t.rejects(LocalReplica.open({ cluster, folder, runtime: fast, log: silentLog }), {
    code: 'MAKI_LOCKED',
    exitCode: 4,
    message: /more than 10 s/,
  })
  t.ok(clockMs >= 10_000 && clockMs < 10_500)
  const interruption = new AbortController()
  const options = { cluster, folder, runtime: systemRuntime, log: silentLog, signal: interruption.signal }
  const reason = new Error('stop')
  await t.rejects(LocalReplica.open({ ...options, onWait: () => interruption.abort(reason) }), reason)
})

t.test('the exchange log survives its own loss and damage', async (t) => {
  const path = join(t.testdir(), 'exchange.json')
  t.same(await readExchangeLog(path), EMPTY_EXCHANGE_LOG)
  const log = { delivered: 'store.3', received: ['a'], cursors: { one: 'x.1' }, exchangedAtMs: 5 }
  await writeExchangeLog(path, log)
  t.same(await readExchangeLog(path), log)
  const text = await readFile(path, 'utf8')
  for (const broken of ['', 'null', '[]', text.slice(0, 20), '{"cursors":{"one":1}}', '\0'.repeat(50)]) {
    await writeFile(path, broken)
    t.same(await readExchangeLog(path), EMPTY_EXCHANGE_LOG, JSON.stringify(broken))
  }
})
