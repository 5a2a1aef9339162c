import t from 'tap'
import { HostFindings } from '../../../../cli/node/certificates/host-findings.ts'
import type { HostFacts, Hostname } from '../../../../core/index.ts'
import { recordLog } from '../../../replication/fake-runtime.ts'
import { ManualRuntime } from '../../../sim/manual-runtime.ts'
import { seeds } from '../../../support/seeds.ts'

const MINUTE_MS = 60_000
const hostOf = (number: number) => `h${number}.example` as Hostname
const turn = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

/** Findings of a world that says what the test has it say. */
function open(seed: number) {
  const runtime = new ManualRuntime(seed)
  const log = recordLog()
  const world = new Map<Hostname, HostFacts['pointing'] | 'broken'>()
  const asked: { readonly host: Hostname; readonly atMs: number }[] = []
  let underWay = 0
  let most = 0
  let changes = 0
  const findings = new HostFindings({
    lookUp: async (host) => {
      asked.push({ host, atMs: runtime.monotonic() })
      most = Math.max(most, ++underWay)
      await Promise.resolve()
      underWay--
      const pointing = world.get(host) ?? 'unknown'
      if (pointing === 'broken') throw new Error('a fault of ours')
      return { pointing, found: 'somewhere', caa: 'none' }
    },
    nodes: () => [],
    runtime,
    log,
    changed: () => changes++,
  })
  const pass = async (ms: number, needed: readonly Hostname[] = []) => {
    for (let passedMs = 0; passedMs < ms; passedMs += MINUTE_MS / 2) {
      for (const host of needed) findings.find(host)
      runtime.advance(MINUTE_MS / 2)
      await turn()
    }
  }
  return { runtime, findings, world, asked, log, pass, most: () => most, changes: () => changes }
}

for (const seed of seeds(20)) {
  t.test(
    `hosts are looked up again: soon while they do not lead here, seldom where they do (seed ${seed})`,
    async (t) => {
      const { findings, world, asked, pass } = open(seed)
      const [ours, elsewhere, unknown] = [hostOf(1), hostOf(2), hostOf(3)] as const
      world.set(ours, seed % 2 === 0 ? 'ours' : 'delegated').set(elsewhere, 'elsewhere')
      const hosts = [ours, elsewhere, unknown]
      t.strictSame(
        hosts.map((host) => findings.find(host)),
        [undefined, undefined, undefined],
        'nobody has looked yet',
      )
      await turn()
      t.strictSame(
        hosts.map((host) => findings.find(host)?.pointing),
        hosts.map((host) => world.get(host) ?? 'unknown'),
      )
      await pass(4 * 60 * MINUTE_MS, hosts)
      const gaps = (host: Hostname) => {
        const times = asked.filter((one) => one.host === host).map(({ atMs }) => atMs)
        return times.slice(1).map((ms, i) => ms - (times[i] as number))
      }
      for (const [host, minutes] of [
        [ours, 60],
        [elsewhere, 5],
        [unknown, 1],
      ] as const) {
        t.ok(gaps(host).length >= 2, `${host} is asked about again`)
        t.ok(
          gaps(host).every((ms) => ms >= minutes * 0.9 * MINUTE_MS && ms <= (minutes * 1.1 + 1) * MINUTE_MS),
          `every ${minutes} min`,
        )
      }
      findings[Symbol.dispose]()
    },
  )
}

t.test('a thousand hosts are asked about a few at a time, each once', async (t) => {
  const { findings, asked, most, pass } = open(1)
  const hosts = Array.from({ length: 1000 }, (_, i) => hostOf(i))
  for (const host of hosts) findings.find(host)
  for (let i = 0; i < 1000 && asked.length < hosts.length; i++) await turn()
  t.equal(new Set(asked.map(({ host }) => host)).size, hosts.length)
  t.equal(asked.length, hosts.length)
  t.ok(most() <= 4, `${most()} at once`)
  findings[Symbol.dispose]()
  await pass(10 * MINUTE_MS)
  t.equal(asked.length, hosts.length, 'nothing is asked after the end')
})

t.test('what nobody asks about any more is forgotten', async (t) => {
  const { findings, asked, pass, runtime } = open(2)
  findings.find(hostOf(1))
  await pass(26 * 60 * MINUTE_MS)
  const before = asked.length
  await pass(60 * MINUTE_MS)
  t.equal(asked.length, before)
  t.equal(runtime.timers, 0)
  findings[Symbol.dispose]()
})

t.test('other addresses of nodes make everything be looked up at once', async (t) => {
  const { findings, world, asked, changes } = open(3)
  world.set(hostOf(1), 'ours')
  findings.find(hostOf(1))
  await turn()
  t.equal(changes(), 1)
  world.set(hostOf(1), 'elsewhere')
  findings.recheck()
  await turn()
  t.equal(asked.length, 2)
  t.equal(findings.find(hostOf(1))?.pointing, 'elsewhere')
  t.equal(changes(), 2)
  findings[Symbol.dispose]()
})

t.test('a fault of ours costs nobody the others, and is told', async (t) => {
  const { findings, world, log, pass } = open(4)
  world.set(hostOf(1), 'broken').set(hostOf(2), 'ours')
  findings.find(hostOf(1))
  findings.find(hostOf(2))
  await turn()
  t.equal(findings.find(hostOf(2))?.pointing, 'ours')
  t.equal(findings.find(hostOf(1)), undefined)
  t.ok(log.events.some(([event]) => event === 'certificates.look-up-failed'))
  world.set(hostOf(1), 'ours')
  await pass(3 * MINUTE_MS)
  t.equal(findings.find(hostOf(1))?.pointing, 'ours', 'it is tried again')
  findings[Symbol.dispose]()
})
