import t from 'tap'
import { FairQueue } from '../../../edge/guests/fair-queue.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

t.test('who used less goes first, and none has more places than it may', async (t) => {
  const queue = new FairQueue<number>(2)
  for (let i = 0; i < 5; i++) queue.add('much', i)
  t.same(queue.take(), { owner: 'much', item: 0 })
  t.same(queue.take(), { owner: 'much', item: 1 })
  t.equal(queue.take(), undefined, 'both of its places are taken')
  queue.add('little', 10)
  t.same(queue.take(), { owner: 'little', item: 10 })
  queue.end('much', 3000)
  queue.end('little', 5)
  queue.add('little', 11)
  t.same(queue.take(), { owner: 'little', item: 11 }, 'although the other waits for longer')
  t.same(queue.take(), { owner: 'much', item: 2 })
  t.equal(queue.size, 2)
  t.equal(queue.remove('much', 3), true)
  t.equal(queue.remove('much', 3), false)
  t.equal(queue.size, 1)
})

t.test('who comes back after a pause has saved up nothing', async (t) => {
  const queue = new FairQueue<string>(1)
  for (let i = 0; i < 100; i++) {
    queue.add('busy', `b${i}`)
    queue.take()
    queue.end('busy', 10)
  }
  queue.add('busy', 'b')
  for (let i = 0; i < 3; i++) queue.add('late', `l${i}`)
  const order: string[] = []
  for (let i = 0; i < 4; i++) {
    const next = queue.take()!
    order.push(next.owner)
    queue.end(next.owner, 10)
  }
  t.ok(order.indexOf('busy') <= 2, `it is not kept from its turn: ${order.join()}`)
})

t.test('who has something running for long has saved up nothing either', async (t) => {
  const queue = new FairQueue<string>(6)
  queue.add('sleeper', 's')
  queue.take()
  for (let i = 0; i < 1000; i++) {
    queue.add('busy', 'b')
    queue.take()
    queue.end('busy', 10)
  }
  for (let i = 0; i < 50; i++) {
    queue.add('sleeper', 's')
    queue.add('busy', 'b')
  }
  const order = Array.from({ length: 50 }, () => {
    const next = queue.take()!
    queue.end(next.owner, 10)
    return next.owner
  })
  const own = order.filter((owner) => owner === 'sleeper').length
  t.ok(own >= 24 && own <= 26, `${own} of 50 turns`)
})

t.test('all that wait can be taken out, also of who has all its places', async (t) => {
  const queue = new FairQueue<number>(1)
  for (let i = 0; i < 4; i++) queue.add('a', i)
  queue.take()
  queue.add('b', 9)
  t.strictSame(queue.drain().sort(), [1, 2, 3, 9])
  t.equal(queue.size, 0)
  t.equal(queue.take(), undefined)
})

for (const seed of seeds(60)) {
  t.test(`shares are equal among who always waits, and nobody starves (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const places = 2 + random.integer(5)
    const most = Math.max(1, places - 1)
    const queue = new FairQueue<number>(most)
    const greedy = Array.from({ length: 1 + random.integer(4) }, (_, i) => ({
      name: `g${i}`,
      costMs: 5 + random.integer(3000),
    }))
    const modest = 'modest'
    const used = new Map<string, number>()
    const running: { owner: string; untilMs: number; costMs: number }[] = []
    let nowMs = 0
    let waitedSince: number | undefined
    let worstWaitMs = 0
    const costliest = Math.max(...greedy.map(({ costMs }) => costMs))
    for (let step = 0; step < 3000; step++) {
      for (const { name } of greedy) while (queue.waitingOf(name) < 3) queue.add(name, step)
      if (waitedSince === undefined && random.chance(0.1)) {
        queue.add(modest, step)
        waitedSince = nowMs
      }
      while (running.length < places) {
        const next = queue.take()
        if (next === undefined) break
        const costMs = next.owner === modest ? 1 : (greedy.find(({ name }) => name === next.owner)?.costMs ?? 0)
        running.push({ owner: next.owner, untilMs: nowMs + costMs, costMs })
        if (next.owner === modest) {
          worstWaitMs = Math.max(worstWaitMs, nowMs - waitedSince!)
          waitedSince = undefined
        }
      }
      running.sort((a, b) => a.untilMs - b.untilMs)
      const done = running.shift()!
      nowMs = Math.max(nowMs, done.untilMs)
      used.set(done.owner, (used.get(done.owner) ?? 0) + done.costMs)
      queue.end(done.owner, done.costMs)
    }
    // One to the end of which it came, and one of who had used as little.
    t.ok(
      worstWaitMs <= 2 * costliest,
      `who asks now and then waits for two runs at most: ${worstWaitMs} of ${costliest}`,
    )
    const shares = greedy.map(({ name }) => used.get(name) ?? 0)
    // By as much as is under way when it is looked at.
    t.ok(Math.max(...shares) - Math.min(...shares) <= 2 * most * costliest, `shares ${shares.join()}`)
  })
}
