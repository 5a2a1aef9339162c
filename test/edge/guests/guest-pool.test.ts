import { readFileSync } from 'node:fs'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { GuestPool } from '../../../edge/guests/guest-pool.ts'
import { eventually } from '../../support/eventually.ts'
import { denyAll, file, type ReadyGuest, readyGuest, request } from '../../support/guests/pooled-guests.ts'

/** Real processes, real components. */

t.setTimeout(0)
const PORTS = { runtime: systemRuntime, log: silentLog }
const MIB = 1024 * 1024
const pools: GuestPool[] = []
t.teardown(() => Promise.all(pools.map((pool) => pool.close())))

function openPool(more: Partial<ConstructorParameters<typeof GuestPool>[0]> = {}): GuestPool {
  const pool = new GuestPool({ maxProcesses: 4, spares: 1, maxMemoryBytes: 128 * MIB, ...more }, PORTS)
  pools.push(pool)
  return pool
}

const run = (pool: GuestPool, guest: ReadyGuest, input = request()) =>
  pool.run(guest.spec, guest.read, { input, siteTimeMs: 0, services: denyAll(), timeoutMs: guest.spec.timeoutMs })

const echo = await readyGuest('http-echo')
const said = (path: string) => `hello from berlin ${path}\n`

t.test('a function answers, each time in an instance of its own', async (t) => {
  const pool = openPool()
  for (const path of ['/a', '/b', '/c']) {
    const outcome = await run(pool, echo, request(path, 'body'))
    t.match(outcome, { kind: 'answered', response: { status: 200, headers: [['content-type', 'text/plain']] } })
    const { response } = outcome as Extract<typeof outcome, { kind: 'answered' }>
    t.equal(Buffer.from(response.body!).toString(), `${said(path)}body`)
  }
  t.equal(pool.counts.runs, 3)
  t.equal(pool.counts.started, 2, 'one that was used, and the one that lies ready')
  await pool.close()
})

t.test('a transform gives a new content, or none', async (t) => {
  const pool = openPool()
  const appended = await run(pool, await readyGuest('transform-append'), file('text'))
  t.match(appended, { kind: 'transformed' })
  const { result } = appended as Extract<typeof appended, { kind: 'transformed' }>
  t.ok(Buffer.from(result!.content).toString().startsWith('text'))
  t.match(await run(pool, await readyGuest('transform-none'), file('text')), { kind: 'transformed', result: undefined })
  await pool.close()
})

t.test('a guest that grows its memory as far as it may is answered, and gets no further', async (t) => {
  const pool = openPool()
  const grows = await readyGuest('http-grow-until-fail', { maxMemoryBytes: 32 * MIB })
  t.match(await run(pool, grows), { kind: 'answered' })
  await pool.close()
})

t.test('a process that is killed by somebody fails its run alone', async (t) => {
  const pool = openPool({ spares: 0, maxProcesses: 2 })
  const spinner = await readyGuest('http-spin')
  const spinning = run(pool, spinner)
  const [pid] = await eventually('a process', () => (pool.pids.length > 0 ? pool.pids : undefined))
  await eventually('it to run', () =>
    /VmRSS:\s+[4-9]\d{4} kB/.test(readFileSync(`/proc/${pid}/status`, 'utf8')) ? true : undefined,
  )
  process.kill(pid!, 'SIGKILL')
  t.match(await spinning, { kind: 'failed', why: 'died' })
  t.match(await run(pool, echo), { kind: 'answered' })
  await pool.close()
})

t.test('too many wait: they are refused at once, and others are not', async (t) => {
  const pool = openPool({ maxProcesses: 3, spares: 0, limits: { maxWaitingOfDomain: 2 } })
  const spinner = await readyGuest('http-spin', { domain: 'evil.test' as Hostname, timeoutMs: 500 })
  const spinning = Array.from({ length: 8 }, () => run(pool, spinner))
  t.match(await run(pool, echo), { kind: 'answered' }, 'a place is left for others')
  const outcomes = await Promise.all(spinning)
  const whys = outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.why : outcome.kind))
  t.equal(whys.filter((why) => why === 'busy').length, 4, whys.join())
  t.equal(whys.filter((why) => why === 'timeout').length, 4)
  await pool.close()
  t.strictSame(pool.pids, [])
})

t.test('memory follows use: guests that nobody asks for have no process', async (t) => {
  const pool = openPool({ maxProcesses: 3, spares: 0, limits: { idleMs: 200 } })
  const domains = Array.from({ length: 5 }, (_, i) => `d${i}.test` as Hostname)
  for (const domain of domains)
    t.match(await run(pool, await readyGuest('http-echo', { domain })), { kind: 'answered' })
  t.ok(pool.counts.processes <= 4, `${pool.counts.processes} processes`)
  await eventually('all of them to end', () => (pool.counts.processes === 0 ? true : undefined))
  t.equal(pool.counts.processes, 0)
  await pool.close()
})

t.test('a process lies ready for the next guest also where others rest in all places', async (t) => {
  const pool = openPool({ maxProcesses: 4, spares: 1 })
  const domains = Array.from({ length: 6 }, (_, i) => `s${i}.test` as Hostname)
  for (const domain of domains)
    t.match(await run(pool, await readyGuest('http-echo', { domain })), { kind: 'answered' })
  const before = pool.counts.started
  await eventually('no more processes than may be', () => (pool.pids.length <= 4 ? true : undefined))
  t.match(await run(pool, await readyGuest('http-echo', { domain: 'new.test' as Hostname })), { kind: 'answered' })
  t.ok(pool.counts.started <= before + 1, 'the new one had one that was there, and made room for another')
  await pool.close()
})

t.test('when it closes, what runs and what waits is told', async (t) => {
  const pool = openPool({ maxProcesses: 2, spares: 0 })
  const spinner = await readyGuest('http-spin')
  const all = Array.from({ length: 4 }, () => run(pool, spinner))
  await eventually('a process', () => (pool.pids.length > 0 ? true : undefined))
  await pool.close()
  for (const outcome of await Promise.all(all)) t.match(outcome, { kind: 'failed', why: 'closed' })
  t.match(await run(pool, echo), { kind: 'failed', why: 'closed' })
  t.strictSame(pool.pids, [])
})
