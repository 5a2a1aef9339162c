import t from 'tap'
import {
  backOffMs,
  beginOrder,
  type CertificateDuty,
  type CertificateView,
  type Change,
  failCutOff,
  failOrder,
  finishOrder,
  type HeldCertificate,
  ORDER_BOUND_MS,
  type OrderProblem,
  planCertificates,
  waitOrder,
} from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import {
  cert,
  certificateId,
  DAY,
  HOUR,
  heldFor,
  host,
  MAIN,
  MINUTE,
  NOW,
  nodeKey,
  OTHER,
  SEALED,
  type TestState,
  threeNodes,
  type ViewOptions,
  viewOf,
} from './fixture.ts'

const NAME = cert('shop.com')
const ALL = new Set([1, 2, 3].map(nodeKey))
const REFUSED: OrderProblem = { type: 'unauthorized', detail: 'no' }
const FACTS = { 'shop.com': 'ours', 'www.shop.com': 'ours', 'bad.shop.com': 'ours' } as const

const OVER = heldFor(['shop.com'], { notBeforeMs: NOW - 90 * DAY, notAfterMs: NOW })

const shop = (...aliases: string[]) => threeNodes().domain('shop.com', ...aliases)
const planAt = (state: TestState, options: ViewOptions = {}) =>
  planCertificates(viewOf(state, { facts: FACTS, ...options }))
const order = (state: TestState, options: ViewOptions = {}) =>
  planAt(state, options).duties.find((duty): duty is CertificateDuty & { kind: 'order' } => duty.kind === 'order')
const waiting = (state: TestState, options: ViewOptions = {}) => planAt(state, options).waiting[0]

/** The plans of three nodes that see the same: who has which rank. */
const ranks = (state: TestState, options: ViewOptions = {}) =>
  [1, 2, 3].map((n) => order(state, { ...options, self: nodeKey(n) })?.rank)

/** A node orders what it is told to, and it goes as it goes. */
function tryOrder(
  state: TestState,
  n: number,
  atMs: number,
  end: OrderProblem | 'issued' | 'open',
  options: ViewOptions = {},
) {
  const view = (nowMs: number): CertificateView =>
    viewOf(state, { facts: FACTS, ...options, self: nodeKey(n), nowMs, running: new Set([NAME]) })
  const wanted = order(state, { ...options, self: nodeKey(n), nowMs: atMs, running: new Set() })
  if (wanted === undefined) throw new Error('there is nothing to order')
  state.say([beginOrder(view(atMs), wanted.wanted, wanted.directory)], nodeKey(n), atMs)
  if (end === 'open') return
  const change = end === 'issued' ? finishOrder(view(atMs + 1000), NAME) : failOrder(view(atMs + 1000), NAME, end)
  if (change !== undefined) state.say([change], nodeKey(n), atMs + 1000)
}

/** The node whose turn it is tries, as often and as soon as any may, until then. */
function tryUntil(
  state: TestState,
  untilMs: number,
  end: OrderProblem | 'issued',
  options: ViewOptions = {},
): number[] {
  const times: number[] = []
  for (let nowMs = NOW; nowMs < untilMs; ) {
    const at = (n: number) => ({ ...options, self: nodeKey(n), nowMs })
    const rank = (n: number) => order(state, at(n))?.rank ?? 9
    const [first = 0] = [1, 2, 3].sort((a, b) => rank(a) - rank(b))
    if (rank(first) === 9) {
      const nextMs = Math.min(...[1, 2, 3].map((n) => waiting(state, at(n))?.nextMs ?? Number.NaN))
      if (!(nextMs > nowMs)) throw new Error(`waits for ${nextMs}, and it is ${nowMs}`)
      nowMs = nextMs
      continue
    }
    times.push(nowMs)
    tryOrder(state, first, nowMs, end, options)
    nowMs += 1001
  }
  return times
}

t.test('one node orders, the others when it stays undone', async (t) => {
  t.same([...ranks(shop())].sort(), [0, 1, 2])
  t.match(order(shop()), { directory: MAIN, because: 'missing', wanted: { name: 'shop.com', names: ['shop.com'] } })
  const first = ranks(shop()).indexOf(0) + 1
  const up = new Set([...ALL].filter((key) => key !== nodeKey(first)))
  const self = [...up][0] as ReturnType<typeof nodeKey>
  t.same([...up].map((key) => order(shop(), { up, self: key })?.rank).sort(), [0, 1], 'without it')
  t.equal(order(shop(), { self: nodeKey(8), up: new Set([nodeKey(8)]) }), undefined, 'a stranger')
  t.match(waiting(shop(), { self: nodeKey(8) }), { code: 'nobody-up' })
  t.same(planAt(shop(), { directories: [], self }).duties, [], 'without an authority')
})

t.test('a certificate that lasts: nothing, and when there will be something', async (t) => {
  const held = [heldFor(['shop.com', 'more.shop.com'])]
  const plan = planAt(shop(), { held })
  t.same(plan.duties, [])
  t.same(plan.waiting, [])
  const dueMs = plan.nextMs ?? 0
  t.ok(dueMs > NOW + 55 * DAY && dueMs <= NOW + 60 * DAY)
  t.equal(order(shop(), { held, nowMs: dueMs - 1 }), undefined)
  t.match(order(shop(), { held, nowMs: dueMs }), { because: 'due' })
  t.match(order(shop('www.shop.com'), { held }), { because: 'names', wanted: { names: ['shop.com', 'www.shop.com'] } })
  t.equal(
    order(shop(), { held: [heldFor(['*.shop.com', 'shop.com'], { name: cert('other.net') })] }),
    undefined,
    'whichever has the name',
  )
})

t.test('at once: exposed, revoked, another authority; whoever is first only', async (t) => {
  t.match(order(shop(), { held: [heldFor(['shop.com'], { exposed: true })] }), { because: 'exposed' })
  const staged = { held: [heldFor(['shop.com'], { directory: 'https://staging.example/' })] }
  t.equal(ranks(shop(), staged).filter((rank) => rank !== undefined).length, 1, 'two configurations take no turns')
  const revocation: Change = {
    kind: 'certificate.revoke',
    id: certificateId(1),
    name: NAME,
    certificate: '',
    key: SEALED,
    directory: MAIN,
    reason: 0,
    phase: 'done',
  }
  t.match(order(shop().say([revocation]), { held: [heldFor(['shop.com'])] }), { because: 'revoked' })
})

t.test('while it is ordered nobody else does; then, or when its node is gone, the next', async (t) => {
  const state = shop()
  const first = ranks(state).indexOf(0) + 1
  tryOrder(state, first, NOW, 'open')
  const others = [1, 2, 3].filter((n) => n !== first)
  const [other = 0] = others
  const self = nodeKey(other)
  t.match(waiting(state, { self }), { code: 'ordering', nextMs: NOW + ORDER_BOUND_MS })
  t.equal(order(state, { self, nowMs: NOW + ORDER_BOUND_MS - 1 }), undefined)
  t.ok(order(state, { self, nowMs: NOW + ORDER_BOUND_MS }))
  const up = new Set(others.map(nodeKey))
  t.match(waiting(state, { self, up }), { code: 'back-off', nextMs: NOW + MINUTE }, 'it died: a minute')
  t.same(others.map((n) => order(state, { self: nodeKey(n), up, nowMs: NOW + MINUTE })?.rank).sort(), [0, 1])
  const behind = NOW - 300 * DAY
  t.match(waiting(state, { self, nowMs: behind }), { nextMs: behind + ORDER_BOUND_MS }, 'by a clock that is far behind')
})

t.test('an own order that was cut off', async (t) => {
  const state = shop()
  const n = ranks(state).indexOf(0) + 1
  const self = nodeKey(n)
  tryOrder(state, n, NOW, 'open')
  t.match(waiting(state, { self, running: new Set([NAME]) }), { code: 'ordering' }, 'under way')
  const { running: _, ...unknowing } = viewOf(state, { facts: FACTS, self })
  t.match(planCertificates(unknowing).waiting, [{ code: 'ordering' }], 'where nobody says')
  t.match(waiting(state, { self }), { code: 'back-off', nextMs: NOW + MINUTE }, 'after a restart')
  const view = viewOf(state, { facts: FACTS, self, nowMs: NOW + 10_000 })
  t.match(failCutOff(view), [{ phase: 'failed', failures: 1, startedMs: [NOW], problem: { type: 'cut-off' } }])
  t.same(failCutOff({ ...view, running: new Set([NAME]) }), [])
  let nowMs = NOW
  let waits: number[] = []
  for (let i = 0; i < 6; i++) {
    nowMs += 13 * HOUR
    state.say(failCutOff(viewOf(state, { facts: FACTS, self, nowMs })), self, nowMs)
    const nextMs = waiting(state, { self, nowMs })?.nextMs ?? 0
    waits = [...waits, (nextMs - nowMs) / MINUTE]
    nowMs = nextMs
    const wanted = order(state, { self, nowMs })?.wanted
    if (wanted === undefined) throw new Error('there is nothing to order')
    state.say([beginOrder(viewOf(state, { facts: FACTS, self, nowMs }), wanted, MAIN)], self, nowMs)
  }
  t.same(waits, [1, 2, 4, 8, 16, 32], 'killed in each: ever longer')
})

t.test('failures wait ever longer, each at the next node; five begin in an hour', async (t) => {
  const state = shop()
  const times = tryUntil(state, NOW + 7 * DAY, REFUSED)
  const gaps = times.slice(1).map((ms, i) => Math.round((ms - (times[i] as number)) / MINUTE))
  t.same(gaps.slice(0, 4), [1, 2, 4, 8])
  for (const ms of times) t.ok(times.filter((other) => other >= ms && other < ms + HOUR).length <= 5)
  t.ok(times.length > 15 && times.length < 30, `${times.length} in a week`)
  t.same(gaps.slice(-3), [720, 720, 720])
  t.same([backOffMs(0), backOffMs(1), backOffMs(2), backOffMs(1e9)], [0, MINUTE, 2 * MINUTE, 12 * HOUR])
})

t.test('a failure passes it on to the next node, wherever it is seen', async (t) => {
  const state = shop()
  const first = ranks(state).indexOf(0) + 1
  tryOrder(state, first, NOW, { type: 'unreachable', detail: '' })
  const next = ranks(state, { nowMs: NOW + 2 * MINUTE })
  t.equal(next[first - 1], 2, 'the one that failed is the last now')
  t.same([...next].sort(), [0, 1, 2])
  tryOrder(state, next.indexOf(0) + 1, NOW + 2 * MINUTE, 'issued')
  t.equal(ranks(state, { nowMs: NOW + 10 * MINUTE })[first - 1], 0, 'until there is a certificate')
})

t.test('an authority is left alone as long as it says, in bounds', async (t) => {
  const state = shop()
  const n = ranks(state).indexOf(0) + 1
  tryOrder(state, n, NOW, { type: 'rateLimited', detail: 'too many', retryAfterMs: 3 * HOUR })
  t.match(waiting(state, { nowMs: NOW + 2000 }), { code: 'rate-limited', nextMs: NOW + 1000 + 3 * HOUR })
  t.ok(order(state, { nowMs: NOW + 1000 + 3 * HOUR }))
  const long = shop()
  tryOrder(long, n, NOW, { type: 'rateLimited', detail: 'for ever', retryAfterMs: Number.POSITIVE_INFINITY })
  t.match(waiting(long, { nowMs: NOW + 2000 }), { nextMs: NOW + 1000 + 7 * DAY })
})

t.test('times of others count at most from when they said them', async (t) => {
  const state = shop()
  const far = NOW + 1000 * DAY
  const trouble = { directory: MAIN, failures: 1, retryMs: far, type: 'rateLimited' }
  const change: Change = {
    kind: 'certificate.order',
    name: NAME,
    names: [NAME],
    directory: MAIN,
    phase: 'failed',
    startedMs: Array.from({ length: 100 }, () => far),
    failures: 1,
    retryMs: far,
    troubles: [trouble],
    refused: [{ name: NAME, failures: 9, retryMs: far, detail: '' }],
  }
  state.say([change], nodeKey(2))
  t.match(waiting(state), { nextMs: NOW + HOUR })
  t.match(waiting(state, { nowMs: NOW + 2 * HOUR }), { code: 'budget', nextMs: NOW + 7 * DAY })
  t.ok(order(state, { nowMs: NOW + 7 * DAY }))
  const gone = shop()
    .say([change], nodeKey(2))
    .say([{ kind: 'node.remove', key: nodeKey(2), how: 'revoke' }])
  t.ok(order(gone), 'what a node said that was removed keeps nobody from it')
})

t.test('what was written without a word of troubles', async (t) => {
  const base = { kind: 'certificate.order' as const, name: NAME, names: [NAME], directory: MAIN, startedMs: [NOW] }
  const failed = shop().say([{ ...base, phase: 'failed', failures: 3 }], nodeKey(2))
  t.match(waiting(failed), { code: 'back-off', nextMs: NOW + 4 * MINUTE })
  const asked = shop().say([{ ...base, phase: 'failed', failures: 1, retryMs: NOW + HOUR }], nodeKey(2))
  t.match(waiting(asked), { code: 'back-off', nextMs: NOW + HOUR })
  t.ok(order(shop().say([{ ...base, phase: 'waiting', failures: 0, startedMs: [] }], nodeKey(2))))
})

t.test('another authority only where it is urgent, and the first is in trouble', async (t) => {
  const two = { directories: [MAIN, OTHER] }
  const n = ranks(shop()).indexOf(0) + 1
  const after = (problem: OrderProblem, options: ViewOptions = {}) => {
    const state = shop()
    tryOrder(state, n, NOW, problem, options)
    return order(state, { ...options, nowMs: NOW + 2000 })?.directory
  }
  t.equal(after({ type: 'unreachable', detail: '' }, two), OTHER)
  t.equal(after({ type: 'rateLimited', detail: '', retryAfterMs: HOUR }, two), OTHER)
  t.equal(after(REFUSED, two), undefined, 'it will be refused there too')
  const due = { ...two, held: [heldFor(['shop.com'], { notBeforeMs: NOW - 62 * DAY, notAfterMs: NOW + 28 * DAY })] }
  t.equal(after({ type: 'unreachable', detail: '' }, due), undefined, 'there is time')
  const late = { ...two, held: [heldFor(['shop.com'], { notBeforeMs: NOW - 80 * DAY, notAfterMs: NOW + 10 * DAY })] }
  t.equal(after({ type: 'unreachable', detail: '' }, late), OTHER, 'there is none')
  const asked: string[] = []
  const state = shop()
  for (let nowMs = NOW; asked.length < 4; nowMs += 2 * MINUTE) {
    const first = [1, 2, 3].find((one) => order(state, { ...two, self: nodeKey(one), nowMs })?.rank === 0)
    if (first === undefined) continue
    asked.push(order(state, { ...two, nowMs })?.directory ?? '')
    tryOrder(state, first, nowMs, REFUSED, two)
  }
  t.same(asked, [MAIN, MAIN, MAIN, OTHER], 'after three failures')
  t.match(
    order(shop(), {
      ...two,
      held: [heldFor(['shop.com'], { directory: OTHER, notBeforeMs: NOW - 62 * DAY, notAfterMs: NOW + 28 * DAY })],
    }),
    { directory: MAIN },
    'back to the first at the next renewal',
  )
  t.equal(order(shop(), { ...two, held: [heldFor(['shop.com'], { directory: OTHER })] }), undefined, 'not before')
})

t.test('another authority that CAA forbids is not asked', async (t) => {
  const caa = { issue: ['letsencrypt.org'], issueWild: [], critical: false, at: host('shop.com') }
  const directories = ['https://acme-v02.api.letsencrypt.org/directory', 'https://acme.zerossl.com/v2/DV90']
  const options = { directories, facts: { 'shop.com': { pointing: 'ours', caa } } } as const
  const state = shop()
  tryOrder(state, ranks(state, options).indexOf(0) + 1, NOW, { type: 'unreachable', detail: '' }, options)
  t.equal(order(state, { ...options, nowMs: NOW + 2000 }), undefined)
})

t.test('a budget for the week: three with the same names, five where a key is known', async (t) => {
  const state = shop()
  t.equal(tryUntil(state, NOW + 7 * DAY, 'issued', { held: [OVER] }).length, 3)
  t.match(waiting(state, { nowMs: NOW + DAY, held: [OVER] }), {
    code: 'budget',
    nextMs: NOW + 7 * DAY,
  })
  t.match(order(state, { nowMs: NOW + DAY, held: [heldFor(['shop.com'], { exposed: true })] }), { because: 'exposed' })
  t.equal(tryUntil(shop(), NOW + 7 * DAY, 'issued', { held: [heldFor(['shop.com'], { exposed: true })] }).length, 5)
  t.equal(tryUntil(shop(), NOW + 7 * DAY, 'issued').length, 4, 'that nobody can find')
  t.equal(tryUntil(shop(), NOW + 14 * DAY, 'issued', { held: [OVER] }).length, 6, 'and the next week again')
  t.match(
    order(state.say([{ kind: 'alias.set', domain: host('shop.com'), host: host('www.shop.com') }]), {
      nowMs: NOW + DAY,
    }),
    { because: 'missing' },
    'other names are others',
  )
  const wrong = { type: 'wrong-certificate', detail: 'another key' }
  t.ok(tryUntil(shop(), NOW + 7 * DAY, wrong).length <= 4, 'what was issued in vain counts')
  const short = heldFor(['shop.com'], { notBeforeMs: NOW - 12 * HOUR, notAfterMs: NOW })
  t.ok(tryUntil(shop(), NOW + 7 * DAY, 'issued', { held: [short] }).length > 20, 'short lives need more')
  const absurd = heldFor(['shop.com'], { notBeforeMs: NOW - 10, notAfterMs: NOW })
  t.ok(tryUntil(shop(), NOW + 7 * DAY, 'issued', { held: [absurd] }).length <= 60, 'however short')
})

t.test('an authority that wishes renewals always gets few, and leaves some for when they are due', async (t) => {
  const renewals = new Map([[certificateId(1), { startMs: 0, endMs: 1 }]])
  const young = { renewals, held: [heldFor(['shop.com'], { notBeforeMs: NOW - 2 * DAY, notAfterMs: NOW + 88 * DAY })] }
  const state = shop()
  t.match(order(state, young), { because: 'authority' })
  t.equal(tryUntil(state, NOW + 7 * DAY, 'issued', young).length, 2, 'one may have come in the same week')
  t.match(waiting(state, { ...young, nowMs: NOW + DAY }), { code: 'budget' })
  t.match(order(state, { renewals, held: [OVER], nowMs: NOW + DAY }), { because: 'due' })
})

t.test('what a removed node did counts, but leaves something for the day after', async (t) => {
  const state = shop()
  const startedMs = Array.from({ length: 60 }, (_, i) => NOW - i * 2 * HOUR)
  const said = (): Change => ({
    kind: 'certificate.order',
    name: NAME,
    names: [NAME],
    directory: MAIN,
    phase: 'failed',
    startedMs,
    failures: 60,
    retryMs: NOW + 7 * DAY,
  })
  state.say([said()], nodeKey(3))
  const held = [heldFor(['shop.com'], { exposed: true })]
  t.equal(order(state, { held }), undefined)
  state.say([{ kind: 'node.remove', key: nodeKey(3), how: 'revoke' }])
  t.match(order(state, { held, up: new Set([nodeKey(1), nodeKey(2)]) }), { because: 'exposed' })
})

t.test('one bad host keeps the others from nothing', async (t) => {
  const state = shop('www.shop.com', 'bad.shop.com')
  const n = ranks(state).indexOf(0) + 1
  tryOrder(state, n, NOW, { ...REFUSED, name: 'bad.shop.com' })
  const plan = planAt(state, { nowMs: NOW + 2 * MINUTE })
  t.match(plan.duties, [{ kind: 'order', wanted: { name: 'shop.com', names: ['shop.com', 'www.shop.com'] } }])
  t.match(plan.uncovered, [{ name: 'bad.shop.com', code: 'refused', reason: /refuses bad\.shop\.com: no/ }])
  t.match(plan.wanted, [{ names: ['bad.shop.com', 'shop.com', 'www.shop.com'] }])
  const next = [1, 2, 3].find((one) => order(state, { self: nodeKey(one), nowMs: NOW + 2 * MINUTE })?.rank === 0) ?? 0
  tryOrder(state, next, NOW + 2 * MINUTE, { ...REFUSED, name: 'www.shop.com' })
  t.match(order(state, { nowMs: NOW + 4 * MINUTE }), { wanted: { names: ['shop.com'] } }, 'nor do two')
  const third = [1, 2, 3].find((one) => order(state, { self: nodeKey(one), nowMs: NOW + 4 * MINUTE })?.rank === 0) ?? 0
  tryOrder(state, third, NOW + 4 * MINUTE, 'issued')
  const held = [heldFor(['shop.com'])]
  t.equal(order(state, { held, nowMs: NOW + 10 * MINUTE }), undefined)
  t.match(
    order(state, { held, nowMs: NOW + 2 * HOUR }),
    { because: 'names', wanted: { names: ['bad.shop.com', 'shop.com', 'www.shop.com'] } },
    'tried again later',
  )
  const alone = shop()
  tryOrder(alone, ranks(alone).indexOf(0) + 1, NOW, { ...REFUSED, name: 'shop.com' })
  t.match(waiting(alone, { nowMs: NOW + 2000 }), { code: 'back-off' }, 'the only name is not left out')
})

t.test(
  'a bad host that is tried again keeps the others no longer than a minute, however long it went wrong before',
  async (t) => {
    const state = shop('bad.shop.com')
    tryUntil(state, NOW + 3 * DAY, { type: 'serverInternal', detail: '' })
    const lastMs = waiting(state, { nowMs: NOW + 3 * DAY })?.nextMs ?? NOW + 3 * DAY
    const turn = (nowMs: number) =>
      [1, 2, 3].find((n) => order(state, { self: nodeKey(n), nowMs })?.rank === 0) ?? Number.NaN
    tryOrder(state, turn(lastMs), lastMs, { ...REFUSED, name: 'bad.shop.com' })
    t.match(order(state, { nowMs: lastMs + 1000 + MINUTE }), { wanted: { names: ['shop.com'] } })
    // Nobody gets to it until the refusal is over.
    const againMs = lastMs + 2 * HOUR
    tryOrder(state, turn(againMs), againMs, { ...REFUSED, name: 'bad.shop.com' })
    t.match(order(state, { nowMs: againMs + 1000 + MINUTE }), { wanted: { names: ['shop.com'] } })
    t.match(
      planAt(state, { nowMs: againMs + 90 * MINUTE }).uncovered,
      [{ code: 'refused' }],
      'left out for longer each time',
    )
  },
)

t.test('who reaches no authority comes after those who do', async (t) => {
  const state = shop()
  const deaf = 1
  const trouble = (failures: number) => ({ directory: MAIN, failures, retryMs: NOW, type: 'unreachable' })
  for (const failures of [2, 3, 4, 5]) {
    state.say(
      [
        {
          kind: 'certificate.order',
          name: NAME,
          names: [NAME],
          directory: MAIN,
          phase: 'failed',
          startedMs: [NOW - HOUR],
          failures,
          troubles: [trouble(failures)],
        },
      ],
      nodeKey(deaf),
    )
    t.equal(ranks(state)[deaf - 1], 2)
    t.same([...ranks(state)].sort(), [0, 1, 2])
  }
})

t.test('a refused name that a certificate has stays in it while there is time', async (t) => {
  const held = (leftDays: number): HeldCertificate[] => [
    heldFor(['shop.com', 'bad.shop.com'], {
      notBeforeMs: NOW - (90 - leftDays) * DAY,
      notAfterMs: NOW + leftDays * DAY,
    }),
  ]
  const state = shop('bad.shop.com')
  const options = { held: held(28) }
  tryOrder(state, ranks(state, options).indexOf(0) + 1, NOW, { ...REFUSED, name: 'bad.shop.com' }, options)
  t.same(order(state, { held: held(28), nowMs: NOW + 3 * MINUTE })?.wanted.names, ['bad.shop.com', 'shop.com'])
  t.same(order(state, { held: held(10), nowMs: NOW + 3 * MINUTE })?.wanted.names, ['shop.com'])
})

t.test('a certificate that only this node cannot open is left to the others', async (t) => {
  const state = shop().say([
    {
      kind: 'certificate.set',
      name: NAME,
      names: [NAME],
      chain: '',
      key: SEALED,
      notBeforeMs: NOW,
      notAfterMs: NOW + DAY,
    },
  ])
  t.match(waiting(state), { code: 'ordering', nextMs: NOW + HOUR })
  t.match(order(state, { nowMs: NOW + HOUR }), { because: 'missing' })
})

t.test('challenges end', async (t) => {
  const shown = (state: TestState, n: number, untilMs: number) =>
    state.say([{ kind: 'challenge.set', host: host('shop.com'), http: [], dns: [], untilMs }], nodeKey(n))
  const held = [heldFor(['shop.com'])]
  const ends = (state: TestState, options: ViewOptions = {}) =>
    planAt(state, { held, ...options }).duties.filter(({ kind }) => kind === 'end-challenge')
  t.match(
    ends(shown(shop(), 1, NOW + HOUR)),
    [{ rank: 0, host: 'shop.com', author: nodeKey(1) }],
    'an own one that nothing needs',
  )
  const under = shop()
  tryOrder(under, ranks(under).indexOf(0) + 1, NOW, 'open')
  const n = [1, 2, 3].find((one) => under.get(`order/shop.com/by/${nodeKey(one)}`) !== undefined) ?? 0
  shown(under, n, NOW + HOUR)
  t.same(ends(under, { self: nodeKey(n), running: new Set([NAME]) }), [], 'not while it is ordered')
  t.match(ends(under, { self: nodeKey(n), running: new Set() }), [{ rank: 0 }], 'a crash')
  const other = shown(shop(), 2, NOW + HOUR)
  t.same(ends(other), [], 'another’s')
  t.equal(planAt(other, { held }).nextMs, NOW + HOUR + 10 * MINUTE)
  const over = [1, 2, 3].map((one) => ends(other, { self: nodeKey(one), nowMs: NOW + 2 * HOUR })[0])
  t.ok(
    over.every((duty) => duty !== undefined && duty.rank < 3),
    'whose time is over',
  )
  t.match(
    ends(shown(shop(), 2, NOW + 1000 * DAY), { nowMs: NOW + 2 * DAY }),
    [{ author: nodeKey(2) }],
    'however long it was to be',
  )
  t.match(
    ends(shown(shop(), 2, NOW + HOUR).say([{ kind: 'node.remove', key: nodeKey(2), how: 'retire' }])),
    [{ author: nodeKey(2) }],
    'of a node that was removed',
  )
})

t.test('revoked once nothing is served with it any more', async (t) => {
  const revocation = (phase: 'due' | 'done' | 'given-up'): Change => ({
    kind: 'certificate.revoke',
    id: certificateId(1),
    name: NAME,
    certificate: '',
    key: SEALED,
    directory: MAIN,
    reason: 1,
    phase,
  })
  const present: Change = {
    kind: 'certificate.set',
    name: NAME,
    names: [NAME],
    chain: '',
    key: SEALED,
    notBeforeMs: NOW,
    notAfterMs: NOW + DAY,
  }
  const revokes = (state: TestState, held: readonly HeldCertificate[]) =>
    planAt(state, { held }).duties.filter(({ kind }) => kind === 'revoke')
  const old = heldFor(['shop.com'])
  const next = heldFor(['shop.com'], { id: certificateId(2) })
  t.same(revokes(shop().say([present, revocation('due')]), [old]), [], 'it is there yet')
  t.same(revokes(shop().say([present, revocation('due')]), []), [], 'nobody knows what came in its place')
  t.match(revokes(shop().say([present, revocation('due')]), [next]), [{ certificate: certificateId(1) }])
  t.match(revokes(shop().say([revocation('due')]), []), [{ certificate: certificateId(1) }], 'nothing came')
  t.same(revokes(shop().say([present, revocation('done')]), [next]), [])
  t.same(revokes(shop().say([present, revocation('given-up')]), [next]), [])
})

t.test('accounts whose key is known elsewhere', async (t) => {
  const exposedAccounts = new Set([MAIN])
  const plan = planAt(shop(), { exposedAccounts, held: [heldFor(['shop.com'])] })
  t.match(plan.duties, [{ kind: 'roll-account', directory: MAIN }])
  const due = [heldFor(['shop.com'], { notBeforeMs: NOW - 62 * DAY, notAfterMs: NOW + 28 * DAY })]
  t.match(waiting(shop(), { exposedAccounts, held: due }), { code: 'back-off' }, 'what can wait waits for it')
  t.match(order(shop(), { exposedAccounts }), { because: 'missing' })
})

t.test('certificates that nothing asks for', async (t) => {
  const drops = (state: TestState, held: readonly HeldCertificate[], nowMs = NOW) =>
    planAt(state, { held, nowMs }).duties.filter(({ kind }) => kind === 'drop')
  const good = heldFor(['shop.com', 'www.shop.com'], { id: certificateId(2) })
  const left = (options: Partial<HeldCertificate> = {}) => heldFor(['www.shop.com'], options)
  const state = shop('www.shop.com')
  t.same(drops(state, [good, left()]), [], 'harmless')
  t.match(drops(state, [good, left({ exposed: true })]), [
    { name: 'www.shop.com', revoke: true, certificate: certificateId(1) },
  ])
  t.same(
    drops(state, [heldFor(['shop.com'], { id: certificateId(2) }), left({ exposed: true })]),
    [],
    'not before there is another',
  )
  t.match(drops(shop(), [heldFor(['gone.net'], { exposed: true })]), [{ name: 'gone.net', revoke: true }])
  t.match(drops(state, [left({ notAfterMs: NOW - 8 * DAY })]), [{ revoke: false }], 'over')
  t.same(drops(state, [left({ notAfterMs: NOW - 6 * DAY })]), [], 'over, to be seen')
  const { directory: _, ...imported } = left({ exposed: true, notAfterMs: NOW - 80 * DAY })
  t.same(drops(state, [imported]), [], 'its owner’s')
})

t.test('facts that differ between nodes, or come and go, order nothing twice', async (t) => {
  const state = shop('www.shop.com')
  const both = [heldFor(['shop.com', 'www.shop.com'])]
  for (const found of ['ours', 'unknown', 'elsewhere', 'delegated'] as const)
    t.equal(order(state, { held: both, facts: { 'shop.com': 'ours', 'www.shop.com': found } }), undefined, found)
  const zone = [heldFor(['*.ns.shop.com', '*.shop.com', 'shop.com'], { name: NAME })]
  for (const found of ['delegated', 'unknown', 'ours', 'elsewhere'] as const)
    t.equal(
      order(state, { held: zone, facts: { 'shop.com': found, 'www.shop.com': 'ours' } }),
      undefined,
      `zone ${found}`,
    )
})

t.test('records of orders stay within what an operation may hold', async (t) => {
  const aliases = Array.from({ length: 95 }, (_, i) => `h${i}.shop.com`)
  const state = shop(...aliases)
  const facts = Object.fromEntries(['shop.com', ...aliases].map((name) => [name, 'ours' as const]))
  const detail = 'x'.repeat(5000)
  for (let i = 0; i < 240; i++) {
    const nowMs = NOW + i * 30 * MINUTE
    const view = viewOf(state, { facts, nowMs, running: new Set([NAME]) })
    const wanted = planCertificates(view).wanted[0]
    if (wanted === undefined) throw new Error('nothing is wanted')
    state.say([beginOrder(view, wanted, i % 2 ? MAIN : `https://ca${i}.example/`)], nodeKey(1), nowMs)
    const change = failOrder(viewOf(state, { facts, nowMs: nowMs + 1, running: new Set([NAME]) }), NAME, {
      type: 'y'.repeat(500),
      detail,
      name: aliases[i % 95],
    })
    if (change === undefined) throw new Error('it was not begun')
    state.say([change], nodeKey(1), nowMs + 1)
    const { startedMs, issued, troubles, refused, problem } = change
    t.ok(startedMs.length <= 200 && (issued?.length ?? 0) <= 200 && (troubles?.length ?? 0) <= 20)
    t.ok((refused?.length ?? 0) <= 100 && (problem?.detail.length ?? 0) <= 1000 && (problem?.type.length ?? 0) <= 100)
  }
  const wait = waitOrder(
    viewOf(state, { facts }),
    { name: NAME, names: [NAME], ways: new Map(), domain: host('shop.com') },
    MAIN,
    { type: 'no-seals', detail },
  )
  t.match(wait, { phase: 'waiting', problem: { type: 'no-seals' } })
  t.equal(failOrder(viewOf(shop()), NAME, REFUSED), undefined, 'nothing was begun')
  t.equal(finishOrder(viewOf(shop()), NAME), undefined)
})

for (const seed of seeds(150))
  t.test(`until the time that it names nothing changes by itself, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const state = shop(...['www.shop.com', 'bad.shop.com'].filter(() => random.chance(0.5)))
    const lifeMs = Math.floor(HOUR * 2 ** (3 + random.next() * 9))
    const agedMs = Math.floor(random.next() * 1.2 * lifeMs)
    const all = heldFor(['shop.com', 'www.shop.com'], {
      notBeforeMs: NOW - agedMs,
      notAfterMs: NOW - agedMs + lifeMs,
      exposed: random.chance(0.1),
    })
    const held = random.chance(0.7) ? [all] : []
    const renewals = new Map(random.chance(0.3) ? [[certificateId(1), { startMs: NOW - DAY, endMs: NOW + DAY }]] : [])
    const options = { held, renewals, directories: random.chance(0.5) ? [MAIN] : [MAIN, OTHER] }
    for (let i = random.integer(7), nowMs = NOW - 9 * DAY; i > 0; i--) {
      nowMs += random.integer(2 * DAY)
      const n = 1 + random.integer(3)
      if (order(state, { ...options, held: [], self: nodeKey(n), nowMs }) === undefined) continue
      const name = random.chance(0.3) ? { name: 'bad.shop.com' } : {}
      const type = random.pick(['unauthorized', 'unreachable', 'rateLimited', 'wrong-certificate'])
      const end = random.pick([
        'issued',
        'open',
        { type, detail: '', retryAfterMs: random.integer(DAY), ...name },
      ] as const)
      tryOrder(state, n, nowMs, end, { ...options, held: [] })
    }
    if (random.chance(0.3))
      state.say([{ kind: 'challenge.set', host: host('shop.com'), http: [], dns: [], untilMs: NOW + HOUR }], nodeKey(2))
    const tell = (nowMs: number) => {
      const { duties, waiting: waits, nextMs } = planAt(state, { ...options, nowMs })
      const orders = duties.flatMap((duty) =>
        duty.kind === 'order' ? `${duty.directory} ${duty.wanted.names}` : duty.id,
      )
      return { orders: orders.sort().join(), waits: waits.map(({ code }) => code).join(), nextMs }
    }
    const { nextMs, ...now } = tell(NOW)
    if (now.waits !== '') t.ok(nextMs !== undefined && nextMs > NOW, 'who waits knows for what')
    for (let i = 0; i < 8 && nextMs !== undefined && nextMs > NOW; i++) {
      const { nextMs: _, ...then } = tell(Math.floor(NOW + random.next() * (nextMs - 1 - NOW)))
      if (now.orders === '') t.same(then, now)
    }
  })
