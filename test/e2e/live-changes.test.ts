import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import type { Change, Hostname, OwnerName } from '../../core/index.ts'
import { Author } from '../bench/author.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { DnsAsker } from './support/dns-asker.ts'
import { KnownValues } from './support/known-values.ts'
import { Scene } from './support/scene.ts'

/**
 * A hundred changes a second while questions come without a pause: no answer is lost, and none says what was not true at
 * a moment between question and answer. `LIVE_SECONDS=600` goes on for longer.
 */

// Seconds of changes, and a node that starts.
t.setTimeout(0)
const SECONDS = Number(process.env.LIVE_SECONDS ?? 5)
const CHANGES_A_SECOND = 100
const NAMES = 40
const SOCKETS = 4
/** On each socket: all together, far fewer than a receive buffer holds. */
const WINDOW = 16
const APEX = 'live.test' as Hostname
const OTHER = 'other.test' as Hostname
const NODE_ADDRESS = '127.0.0.1'
/** What does not come in so many seconds is lost: loopback loses nothing later. */
const LOST_MS = 20_000

const wrote = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`

const nameAt = (i: number): string => `n${i}.${APEX}`

const setDomain = (domain: Hostname): Change => ({
  kind: 'domain.set',
  domain,
  spa: false,
  onConcurrent: 'latest',
  previews: true,
})

const setRecord = (name: string, value: string): Change => ({
  kind: 'record.set',
  domain: APEX,
  name: name as OwnerName,
  type: 'A',
  ttl: 300,
  values: [value],
})

/** The next change, and what its name says from then on. */
function drawChange(random: ReturnType<typeof createRandom>, known: KnownValues, i: number): [Change, string, string] {
  if (random.chance(0.1)) {
    const isThere = known.newest(OTHER) !== 'REFUSED'
    return isThere
      ? [{ kind: 'domain.remove', domain: OTHER }, OTHER, 'REFUSED']
      : [setDomain(OTHER), OTHER, NODE_ADDRESS]
  }
  if (random.chance(0.1)) {
    const host = `www.${APEX}` as Hostname
    const isThere = known.newest(host) !== 'NXDOMAIN'
    const kind = isThere ? 'alias.remove' : 'alias.set'
    return [{ kind, domain: APEX, host }, host, isThere ? 'NXDOMAIN' : NODE_ADDRESS]
  }
  const number = random.integer(NAMES)
  const name = nameAt(number)
  if (known.newest(name) === 'NXDOMAIN' || random.chance(0.8)) {
    return [setRecord(`n${number}`, wrote(i)), name, wrote(i)]
  }
  const change: Change = { kind: 'record.remove', domain: APEX, name: `n${number}` as OwnerName, type: 'A' }
  return [change, name, 'NXDOMAIN']
}

/** Resolves with the node's metrics, counted by its workers after they have taken in all that was sent to them before. */
async function readMetrics({ layout }: Daemon): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  request({ socketPath: controlSocketPath(layout, {}), path: '/metrics' }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      text += chunk
    })
    response.on('end', () => resolve(text))
    response.on('error', reject)
  })
    .on('error', reject)
    .end()
  return promise
}

/** Datagrams that the kernel threw away for want of room, at sockets of that local port. */
function countDrops(port: number): number {
  const lines = readFileSync('/proc/net/udp', 'utf8').trim().split('\n').slice(1)
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(local))
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0)
}

async function run(t: Test, seed: number, workers: number): Promise<void> {
  const scene = await Scene.open()
  t.teardown(() => scene[Symbol.asyncDispose]())
  const cluster = await DaemonCluster.make(scene, { nodes: 1 })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  const daemon = cluster.daemons[0] as Daemon
  daemon.configure((text) => text.replace('workers = 0', `workers = ${workers}`))
  await cluster.start()
  const author = new Author(cluster.operator, cluster.id, cluster.seed.slice(-1))
  const random = createRandom(seed)
  const hand = (operations: readonly Change[]) =>
    daemon.client.accept(operations.map((one) => author.make([one]).bytes))
  await hand([setDomain(APEX), ...Array.from({ length: NAMES }, (_, i) => setRecord(`n${i}`, '10.255.0.0'))])
  await readMetrics(daemon)
  const known = new KnownValues([
    [APEX, NODE_ADDRESS],
    [`www.${APEX}`, 'NXDOMAIN'],
    [`never.${APEX}`, 'NXDOMAIN'],
    [OTHER, 'REFUSED'],
    ...Array.from({ length: NAMES }, (_, i) => [nameAt(i), '10.255.0.0'] as const),
  ])
  const { names } = known
  const port = daemon.layout.dnsPort
  const askers: DnsAsker[] = []
  for (let i = 0; i < SOCKETS; i++) {
    const asker = await DnsAsker.start(port, WINDOW, known, () => random.pick(names))
    t.teardown(() => asker[Symbol.asyncDispose]())
    askers.push(asker)
  }
  const total = SECONDS * CHANGES_A_SECOND
  const startedMs = performance.now()
  for (let done = 0; done < total; ) {
    const due = Math.min(total, 1 + Math.floor(((performance.now() - startedMs) / 1000) * CHANGES_A_SECOND))
    const changes: Change[] = []
    for (; done < due; done++) {
      const [change, name, said] = drawChange(random, known, done)
      known.write(name, said)
      changes.push(change)
    }
    if (changes.length > 0) {
      const settle = known.mark()
      await hand(changes)
      await readMetrics(daemon)
      settle()
    }
    // The pace of the changes; the questions have none.
    await pause(5)
  }
  const tookMs = performance.now() - startedMs
  await Promise.race([Promise.all(askers.map((asker) => asker.stop())), pause(LOST_MS)])
  const sum = (of: (asker: DnsAsker) => number) => askers.reduce((all, asker) => all + of(asker), 0)
  const answered = sum((asker) => asker.answered)
  t.comment(`${answered} answers in ${Math.round(tookMs)} ms, ${countDrops(port)} datagrams without room at the node`)
  t.equal(known.written, total, `${total} changes were handed in and acknowledged`)
  t.ok(answered > total, 'and more questions than changes were answered')
  t.equal(countDrops(port), 0, 'the kernel had room for all questions')
  t.equal(
    sum((asker) => asker.underWay),
    0,
    'every question was answered',
  )
  t.strictSame(askers.flatMap(({ wrong }) => wrong).slice(0, 10), [], 'and with what was true meanwhile')
  let next = 0
  const last = await DnsAsker.start(port, names.length, known, () => names[next++ % names.length] as string)
  t.teardown(() => last[Symbol.asyncDispose]())
  await Promise.race([last.stop(), pause(LOST_MS)])
  t.strictSame([last.answered, last.wrong], [names.length, []], 'in the end every name says what was written last')
  const metrics = await readMetrics(daemon)
  t.match(metrics, /^\S*dns_failed\S* 0$/m, 'nothing has failed')
}

for (const [i, workers] of [0, 2].entries()) {
  const seed = seeds(2)[i] ?? (seeds(1)[0] as number)
  t.test(`a node with ${workers} workers, seed ${seed}`, (t) => run(t, seed, workers))
}
