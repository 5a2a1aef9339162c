import { readFileSync } from 'node:fs'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { GuestPool } from '../../../edge/guests/guest-pool.ts'
import type { GuestServices } from '../../../edge/guests/index.ts'
import { buildComponent, readGuestText, type WorldExtras } from '../../support/guests/build-wat.ts'
import { denyAll, type ReadyGuest, readyGuest, request } from '../../support/guests/pooled-guests.ts'

/** What is between a process and its owner, with components made to break it. */

t.setTimeout(0)
const MIB = 1024 * 1024
const log = silentLog
const pools: GuestPool[] = []
t.teardown(() => Promise.all(pools.map((pool) => pool.close())))

function openPool(): GuestPool {
  const pool = new GuestPool({ maxProcesses: 2, spares: 0, maxMemoryBytes: 128 * MIB }, { runtime: systemRuntime, log })
  pools.push(pool)
  return pool
}

const run = (pool: GuestPool, { spec, read }: ReadyGuest, services: GuestServices = denyAll()) =>
  pool.run(spec, read, { input: request(), siteTimeMs: 0, services, timeoutMs: spec.timeoutMs })

const ENVIRONMENT: WorldExtras = {
  imports: 'import wasi:cli/stdout@0.2.3; import wasi:io/streams@0.2.3; import wasi:clocks/monotonic-clock@0.2.3;',
  packages: `package wasi:io@0.2.3 {
  interface error { resource error; }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
  }
}
package wasi:cli@0.2.3 { interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; } }
package wasi:clocks@0.2.3 { interface monotonic-clock { now: func() -> u64; } }`,
}

const IMPORTS = `(import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))`

/** The blank guest with WASI; `more` follows its last function, `before` begins what a call does. */
async function wasiGuest(name: string, more: string, before = ''): Promise<ReadyGuest> {
  const text = readGuestText('http-blank')
    .replace('(module', () => `(module ${IMPORTS}`)
    .replace(/\(result i32\)\s*(?=\(i32\.const 256\)|\(i32\.store)/g, (head) => `${head}${before}\n`)
    .replace(/\)\s*$/, () => `${more})`)
  return await readyGuest(await buildComponent(text, 'http', ENVIRONMENT), { key: name, name, timeoutMs: 5000 })
}

/** Writes `x`, which stands at 40,000. */
const SAY = '(call $write (call $stdout) (i32.const 40000) (i32.const 1) (i32.const 40100))'

t.test('a component that asks for something where it starts is started when it is called', async (t) => {
  const pool = openPool()
  const guest = await wasiGuest('says', `(data (i32.const 40000) "x") (func (export "_initialize") ${SAY})`)
  for (let i = 0; i < 5; i++) {
    const services = denyAll()
    const outcome = await run(pool, guest, services)
    t.match(outcome, { kind: 'answered', response: { status: 204 } }, JSON.stringify(outcome))
    t.strictSame(services.asked, [{ ask: 'print', stream: 'stdout' }], 'once for each call, and never before one')
  }
  t.equal(pool.counts.started, 1, 'in one process')
  t.same(pool.counts.lost, {})
})

t.test('a component that goes on for ever where it starts is ended, also when nobody has called it', async (t) => {
  const pool = openPool()
  // It starts well as often as not, so that it gets to be called, and to spin while its next instance is made.
  const guest = await wasiGuest(
    'spins',
    `(func $begin
      (if (i64.eqz (i64.rem_u (i64.div_u (call $now) (i64.const 100000)) (i64.const 2)))
        (then (loop $again (br $again)))))
    (start $begin)`,
  )
  const spec = { ...guest.spec, timeoutMs: 300 }
  let answered = 0
  let ended = 0
  for (let i = 0; i < 200 && (answered < 2 || ended < 2); i++) {
    const outcome = await run(pool, { ...guest, spec })
    if (outcome.kind === 'answered') answered++
    else ended++
    if (outcome.kind === 'failed') t.equal(outcome.why, 'timeout', outcome.detail)
    await idle(t, pool)
  }
  t.ok(answered >= 2 && ended >= 2, `${answered} were answered, ${ended} were not`)
})

/** Nothing of the pool computes any more, or is gone. */
async function idle(t: Pick<typeof import('tap').t, 'fail'>, pool: GuestPool): Promise<void> {
  const ticks = () => pool.pids.map(cpuTicks).reduce((sum, own) => sum + own, 0)
  let before = ticks()
  // By the clock of its own processor time: who spins gets on in it, however busy the machine is.
  for (let still = 0, looks = 0; still < 3; looks++) {
    if (looks > 600) return void t.fail('something goes on computing with nothing to do')
    await new Promise<void>((resolve) => systemRuntime.after(20, resolve))
    const now = ticks()
    still = now === before ? still + 1 : 0
    before = now
  }
}

function cpuTicks(pid: number): number {
  try {
    const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')
    const fields = rest.split(' ')
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return 0
  }
}

t.test('thousands of traps leave nothing behind that would end the process', async (t) => {
  const pool = openPool()
  const guest = await readyGuest('http-trap')
  for (let i = 0; i < 500; i++) {
    const outcome = await run(pool, guest)
    if (outcome.kind === 'failed' && outcome.why === 'trap') continue
    t.fail(JSON.stringify(outcome))
    break
  }
  t.equal(pool.counts.started, 1)
  t.same(pool.counts.lost, {})
})
