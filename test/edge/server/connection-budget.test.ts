import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { startHttpServer } from '../../../edge/index.ts'
import { ConnectionBudget } from '../../../edge/server/connection-budget.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../fixtures.ts'

/** What a budget sees of a socket. Like the system's, one that is destroyed says so later. */
class FakeSocket extends EventEmitter {
  destroyed = false
  readonly remoteAddress: string

  constructor(remoteAddress: string) {
    super()
    this.remoteAddress = remoteAddress
  }

  destroy(): this {
    this.destroyed = true
    return this
  }

  get network(): string {
    return this.remoteAddress.replace(/\d+$/, '')
  }
}

const asSocket = (fake: FakeSocket): Socket => fake as unknown as Socket
const MAX = 40

/** What should be held, and who rests, longest first. */
class Expected {
  readonly held = new Set<FakeSocket>()
  readonly resting = new Set<FakeSocket>()

  of(network: string, among: ReadonlySet<FakeSocket> = this.held): FakeSocket[] {
    return [...among].filter((one) => one.network === network)
  }

  /** Who gives way to a new one; undefined where nobody does. */
  findVictim(network: string): FakeSocket | undefined {
    if (this.held.size + 1 <= MAX * 0.75) return undefined
    if (this.isGreedy(network)) return this.of(network, this.resting)[0]
    const counts = new Map<string, number>()
    for (const one of this.resting) counts.set(one.network, (counts.get(one.network) ?? 0) + 1)
    const most = Math.max(...counts.values())
    return [...this.resting].find((one) => counts.get(one.network) === most)
  }

  isGreedy(network: string): boolean {
    return this.held.size + 1 > MAX * 0.75 && this.of(network).length + 1 > MAX / 2
  }

  remove(socket: FakeSocket): void {
    this.held.delete(socket)
    this.resting.delete(socket)
  }
}

for (const seed of seeds(40)) {
  t.test(`who gives way, and who is let in, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const budget = new ConnectionBudget(MAX)
    const expected = new Expected()
    const greed = random.next()
    const liveliness = random.next() ** 0.25
    const faults: string[] = []
    const check = (isRight: boolean, what: string) => {
      if (!isRight) faults.push(what)
    }
    let refused = 0
    let gaveWay = 0
    for (let i = 0; i < 1500; i++) {
      const known = [...expected.held]
      const some = known.length === 0 ? undefined : random.pick(known)
      const chance = random.next()
      if (some === undefined || chance < 0.4) {
        const host = 1 + random.integer(250)
        const socket = new FakeSocket(`192.0.${random.chance(greed) ? 0 : 1 + random.integer(9)}.${host}`)
        const before = expected.of(socket.network).length
        const isGreedy = expected.isGreedy(socket.network)
        const victim = expected.findVictim(socket.network)
        if (victim !== undefined) {
          expected.remove(victim)
          gaveWay++
        }
        const isLetIn = expected.held.size < MAX && !(isGreedy && victim === undefined)
        check(budget.admit(asSocket(socket)) === isLetIn, `step ${i}: let in should be ${isLetIn}`)
        check(socket.destroyed === !isLetIn, `step ${i}: closed is who is not let in`)
        if (isLetIn) {
          expected.held.add(socket)
          if (random.chance(liveliness)) budget.wakes(asSocket(socket))
          else expected.resting.add(socket)
        } else refused++
        if (victim !== undefined) {
          check(victim.destroyed, `step ${i}: another than the longest of those who rest most gave way`)
          victim.emit('close')
        }
        if (isGreedy) check(expected.of(socket.network).length <= before, `step ${i}: more than half for one network`)
      } else if (chance < 0.65) {
        budget.wakes(asSocket(some))
        expected.resting.delete(some)
      } else if (chance < 0.97) {
        if (random.chance(liveliness)) continue
        budget.rests(asSocket(some))
        expected.resting.add(some)
      } else {
        some.destroy().emit('close')
        expected.remove(some)
      }
      check(budget.count === expected.held.size, `step ${i}: ${budget.count} are held`)
      check(![...expected.held].some(({ destroyed }) => destroyed), `step ${i}: somebody else gave way`)
    }
    t.strictSame(faults.slice(0, 5), [])
    t.comment(`${refused} were refused, ${gaveWay} gave way`)
  })
}

t.test('one network that never rests leaves a quarter of all places to others', async (t) => {
  const budget = new ConnectionBudget(MAX)
  const enter = (address: string) => {
    const socket = new FakeSocket(address)
    const isLetIn = budget.admit(asSocket(socket))
    budget.wakes(asSocket(socket))
    return isLetIn
  }
  const taken = Array.from({ length: 100 }, (_, i) => enter(`192.0.2.${i}`)).filter(Boolean)
  t.equal(taken.length, MAX * 0.75)
  const others = Array.from({ length: MAX / 4 }, (_, i) => enter(`2001:db8:${i}::1`))
  t.ok(others.every(Boolean))
  t.notOk(enter('198.51.100.1'), 'then it is full')
})

t.test('IPv6 counts by /48, and IPv4 over IPv6 as IPv4', async (t) => {
  for (const [one, another] of [
    ['2001:db8:1:2::3', '2001:db8:1:ffff::4'],
    ['192.0.2.1', '::ffff:192.0.2.200'],
  ] as const) {
    const budget = new ConnectionBudget(4)
    const sockets = [one, another, one, another].map((address) => new FakeSocket(address))
    const letIn = sockets.map((socket) => {
      const isLetIn = budget.admit(asSocket(socket))
      budget.wakes(asSocket(socket))
      return isLetIn
    })
    t.strictSame(letIn, [true, true, true, false], one)
  }
})

t.test('this computer and believed proxies may hold all: they come for many', async (t) => {
  for (const address of ['127.0.0.1', '::1', '192.0.2.7']) {
    const budget = new ConnectionBudget(MAX, { isProxy: (one) => one === '192.0.2.7' })
    for (let i = 0; i < MAX; i++) {
      const socket = asSocket(new FakeSocket(address))
      t.ok(budget.admit(socket))
      budget.wakes(socket)
    }
    t.notOk(budget.admit(asSocket(new FakeSocket(address))))
  }
})

t.test('over sockets: a crowd of one network takes no place of the visitors of others', async (t) => {
  const blobs = new MemoryBlobs()
  const table = buildTable(buildSite(buildManifest(blobs, { 'index.html': 'home' })))
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    maxConnections: MAX,
  })
  const { port } = server.address
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await server.close()
  })
  const open = (localAddress: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    socket.on('error', () => {})
    sockets.push(socket)
    return socket
  }
  const ask = async (socket: Socket) => {
    socket.write('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return String(answer).startsWith('HTTP/1.1 200')
  }
  const visitors = ['127.0.8.1', '127.0.8.2', '127.0.9.1', '127.1.0.1'].map(open)
  for (const visitor of visitors) t.ok(await ask(visitor))
  const crowd = Array.from({ length: 200 }, (_, i) => open(`127.0.7.${1 + (i % 250)}`))
  const isOver = Promise.withResolvers<void>()
  let closed = 0
  for (const one of crowd)
    one.on('close', () => ++closed === crowd.length - MAX * 0.75 + visitors.length && isOver.resolve())
  await isOver.promise
  t.notOk(visitors.some((visitor) => visitor.closed))
  for (const visitor of visitors) t.ok(await ask(visitor), 'is served as before')
  t.ok(await ask(open('127.0.10.1')), 'and so is who comes anew')
})
