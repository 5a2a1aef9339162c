import t from 'tap'
import { RateLimit, type Verdict } from '../../../dns/server/rate-limit.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const count = (verdicts: readonly Verdict[], verdict: Verdict): number =>
  verdicts.filter((one) => one === verdict).length

const ipv4 = (random: Random): string => `${1 + random.integer(223)}.${random.integer(256)}.${random.integer(256)}`

t.test('twice the rate at once, the rate from then on, and of the rest every second one is cut', async (t) => {
  const limit = new RateLimit(50, new Uint8Array(16))
  const take = (times: number, nowMs: number) =>
    Array.from({ length: times }, (_, i) => limit.take(`192.0.2.${i % 256}`, 'a', nowMs))
  const first = take(1000, 0)
  t.equal(count(first, 'send'), 100)
  t.strictSame(first.slice(100, 104), ['drop', 'cut', 'drop', 'cut'])
  t.equal(count(take(1000, 1000), 'send'), 50)
  t.equal(count(take(1000, 1010), 'send'), 0)
  t.equal(count(take(1000, 1020), 'send'), 1)
  t.equal(count(take(1000, 100_000), 'send'), 100, 'no more than the burst is saved up')
  t.throws(() => new RateLimit(0, new Uint8Array(16)), RangeError)
  t.throws(() => new RateLimit(1, new Uint8Array(15)), RangeError)
  t.throws(() => new RateLimit(1, new Uint8Array(16), 3), RangeError)
})

t.test('networks and accounts are apart; addresses of one network are together', async (t) => {
  const limit = new RateLimit(1, new Uint8Array(16))
  const isFresh = (address: string, account: string) => limit.take(address, account, 5) === 'send'
  const exhaust = (address: string, account: string) => {
    while (isFresh(address, account)) {}
  }
  exhaust('192.0.2.1', 'a')
  t.notOk(isFresh('192.0.2.255', 'a'))
  t.ok(isFresh('192.0.3.1', 'a'))
  t.ok(isFresh('192.0.2.1', 'b'))
  exhaust('2001:db8:0:0::1', 'a')
  t.notOk(isFresh('2001:db8:0:ff:ffff::', 'a'))
  t.ok(isFresh('2001:db8:0:100::1', 'a'))
  exhaust('', 'a')
  t.ok(isFresh('0.0.0.0', 'a'))
  exhaust('192.0.2.1', 'x'.repeat(2000))
  t.ok(isFresh('192.0.2.1', `${'x'.repeat(1999)}y`))
})

for (const seed of seeds(20)) {
  t.test(`never more than the rate allows, whatever the moments (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const rate = 1 + random.integer(100)
    const limit = new RateLimit(rate, random.bytes(16))
    const sentAt: number[] = []
    let nowMs = random.integer(1e9)
    for (let i = 0; i < 5000; i++) {
      nowMs += random.chance(0.9) ? random.next() * 10 : random.integer(3000)
      if (limit.take('192.0.2.1', 'a', nowMs) === 'send') sentAt.push(nowMs)
    }
    for (let from = 0; from < sentAt.length; from += 1 + random.integer(20)) {
      for (let to = from; to < sentAt.length; to += 1 + random.integer(50)) {
        const seconds = ((sentAt[to] as number) - (sentAt[from] as number)) / 1000
        const sent = to - from + 1
        if (sent > rate * (2 + seconds) + 1e-6) t.fail(`${sent} answers in ${seconds} s at ${rate}/s`)
      }
    }
    t.ok(sentAt.length > 0)
  })

  t.test(`who keeps below the rate is never limited, whoever else is flooded (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const rate = 5 + random.integer(50)
    // A small table, in which everybody shares rows with attackers.
    const limit = new RateLimit(rate, random.bytes(16), random.pick([1, 4, 64, 1024]))
    const resolvers = ['198.51.100.7', '203.0.113.9', '2001:db8:1::53'].map((address) => ({
      address,
      nextMs: random.next() * 1000,
    }))
    const victims = Array.from({ length: 1 + random.integer(30) }, () => `${ipv4(random)}.1`)
    const isNeighbour = (address: string) => /^(198\.51\.100|203\.0\.113)\./.test(address)
    const names = ['www.example.com 1', 'NXDOMAIN example.com', 'REFUSED']
    let asked = 0
    for (let nowMs = 0; nowMs < 20_000; nowMs += 1) {
      for (let i = 0; i < 3; i++) {
        const address = random.chance(0.7) ? random.pick(victims) : `${ipv4(random)}.1`
        if (!isNeighbour(address)) limit.take(address, random.pick(names), nowMs)
      }
      for (const resolver of resolvers) {
        if (resolver.nextMs > nowMs) continue
        resolver.nextMs = nowMs + 1000 / rate
        asked += 1
        const verdict = limit.take(resolver.address, names[0] as string, nowMs)
        if (verdict !== 'send') t.fail(`${resolver.address} at ${nowMs} ms: ${verdict}`)
      }
    }
    t.ok(asked > 100, `${asked} questions`)
  })

  t.test(`one victim is spared, however many others are flooded beside it (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const rate = 20
    const limit = new RateLimit(rate, random.bytes(16), 1024)
    let sent = 0
    const seconds = 10
    for (let nowMs = 0; nowMs < seconds * 1000; nowMs += 1) {
      if (limit.take('192.0.2.1', 'www.example.com 1', nowMs) === 'send') sent += 1
      limit.take(`${ipv4(random)}.1`, 'www.example.com 1', nowMs)
    }
    t.ok(sent <= rate * (2 + seconds), `${sent} of ${seconds * 1000} reached it`)
  })
}

t.test('who does not know the key cannot tell which accounts push out that of a victim', async (t) => {
  const random = createRandom(1)
  const keys = [random.bytes(16), random.bytes(16)] as const
  const isFreed = (rivals: readonly string[], key: Uint8Array): boolean => {
    const limit = new RateLimit(1, key, 256)
    while (limit.take('192.0.2.1', 'a', 1) === 'send') {}
    for (const rival of rivals) while (limit.take(rival, 'a', 1.5) === 'send') {}
    return limit.take('192.0.2.1', 'a', 2) === 'send'
  }
  let rivals = Array.from({ length: 3000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`)
  t.ok(isFreed(rivals, keys[0]), 'enough accounts at once push out every other')
  for (let size = rivals.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < rivals.length; ) {
      const fewer = rivals.toSpliced(at, size)
      if (isFreed(fewer, keys[0])) rivals = fewer
      else at += size
    }
  }
  t.equal(rivals.length, 4, 'under one key these do')
  t.notOk(isFreed(rivals, keys[1]), 'under another they do not')
})
