import { type webcrypto, X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type CertificateName, type Hostname, silentLog } from '../../../core/index.ts'
import { certificateId } from '../../../edge/acme/renewal-info.ts'
import { openAuthority } from '../../../edge/index.ts'
import { type Answer, FakeAuthority, type FakeOptions } from '../../support/fake-authority.ts'

/** What an authority may say that is slow, wrong, or meant to harm. Pauses are as short as they are asked for. */

/** Waits a thousandth of the time. */
const hasty = {
  now: () => systemRuntime.now(),
  monotonic: () => systemRuntime.monotonic() * 1000,
  after: (delayMs: number, call: () => void) => systemRuntime.after(delayMs / 1000, call),
}
/** Answers have their time: only what hangs is hastened. */
const patient = {
  ...hasty,
  after: (ms: number, call: () => void) => systemRuntime.after(ms >= 30_000 ? 2000 : ms / 1000, call),
}
const { signal } = new AbortController()
const NAME = 'shop.test' as CertificateName
const REQUEST = { names: [NAME], ways: new Map([[NAME as string as Hostname, 'http-01' as const]]) }
const PROBLEM = 'urn:ietf:params:acme:error:'
const problem = (type: string, status: number, headers: Record<string, string> = {}, more: object = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: { type: `${PROBLEM}${type}`, detail: 'as it says', ...more },
})

async function open(t: Test, options: FakeOptions = {}) {
  const fake = await FakeAuthority.open(options)
  t.teardown(() => fake[Symbol.asyncDispose]())
  const { directory } = fake
  const authority = openAuthority({ directory, runtime: patient, log: silentLog, version: 'test' })
  const account = await authority.register({}, signal)
  const issue = async (request: Parameters<typeof authority.order>[1] = REQUEST) => {
    const order = await authority.order(account, request, signal)
    await order.validate(signal)
    return await order.finish(signal)
  }
  return { fake, authority, account, issue }
}

async function errorOf(tried: Promise<unknown>): Promise<Record<string, unknown>> {
  return await tried.then(
    () => ({ type: 'none' }),
    (error) => error,
  )
}

t.test('one that is well: short lives, profiles, when to renew, what comes in place of what', async (t) => {
  const startMs = Date.now() + 3_600_000
  const window = () => ({ startMs, endMs: startMs + 7_200_000, retryAfter: '120' })
  const { fake, authority, issue } = await open(t, { profiles: ['shortlived', '../x'], lifeMs: 6 * 86_400_000, window })
  t.strictSame(await authority.describe(signal), {
    authorities: ['fake.test'],
    profiles: ['shortlived'],
    needsBinding: false,
    offersRenewalInfo: true,
  })
  const first = await issue({ ...REQUEST, profile: 'shortlived' })
  t.equal(first.notAfterMs - first.notBeforeMs, 6 * 86_400_000)
  const info = await authority.renewalInfo(first.chain, signal)
  t.match(info, { startMs, endMs: startMs + 7_200_000, askAgainMs: 120_000 })
  await issue({ ...REQUEST, replaces: first.chain })
  t.equal(fake.orders[1]?.request.replaces, await certificateId(first.chain))
  t.ok(new X509Certificate(first.chain).verify(new X509Certificate(fake.root).publicKey))
  fake.instead('newOrder', problem('alreadyReplaced', 409), 1)
  await issue({ ...REQUEST, replaces: first.chain })
  t.equal(fake.orders[2]?.request.replaces, undefined, 'one that was replaced is ordered without a word of it')
  t.match(await errorOf(issue({ ...REQUEST, profile: 'no-such' })), { type: 'invalidProfile' })
})

t.test(
  'one that looks at names at its leisure: the first that fails ends it, and all have one time together',
  async (t) => {
    const { fake, authority, account } = await open(t)
    const names = ['a.test', 'b.test', 'c.test'] as readonly string[] as readonly CertificateName[]
    const request = { names, ways: new Map(names.map((name) => [name as string as Hostname, 'http-01' as const])) }
    fake.options = { look: async ({ host }) => host !== 'c.test' }
    fake.delay(['a.test', 'b.test'])
    const failing = await authority.order(account, request, signal)
    t.match(await errorOf(failing.validate(signal)), { type: 'unauthorized', identifier: 'c.test' })
    fake.delay(names)
    const slow = await authority.order(account, request, signal)
    const atMs = patient.monotonic()
    t.match(await errorOf(slow.validate(signal)), { type: 'unreachable', message: /5 min/ })
    t.ok(patient.monotonic() - atMs < 2 * 5 * 60_000, 'five minutes in all, and not for each')
  },
)

t.test('what a certificate is called: RFC 9773 section 4.1', async (t) => {
  const { issue } = await open(t)
  const { chain: ours } = await issue()
  const id = await certificateId(ours)
  const [signer = '', serial = ''] = String(id).split('.')
  t.equal(Buffer.from(signer, 'base64url').length, 20)
  const bytes = Buffer.from(serial, 'base64url')
  t.equal(bytes[0], 0, 'a serial number that begins with a set bit has a zero in front')
  t.equal(bytes.subarray(1).toString('hex').toUpperCase(), new X509Certificate(ours).serialNumber)
})

t.test('problems: their kind, their words, and how long to wait', async (t) => {
  const { fake, issue } = await open(t)
  const date = new Date(Date.now() + 3_600_000).toUTCString()
  const cases: [Answer, object][] = [
    [problem('rateLimited', 429, { 'retry-after': '7200' }), { type: 'rateLimited', retryAfterMs: 7_200_000 }],
    [problem('rateLimited', 429), { type: 'rateLimited', retryAfterMs: undefined }],
    [problem('serverInternal', 503, { 'retry-after': '99999999' }), { retryAfterMs: 7 * 86_400_000 }],
    [problem('serverInternal', 503, { 'retry-after': 'soon' }), { type: 'serverInternal', retryAfterMs: undefined }],
    [
      { status: 429, headers: { 'retry-after': '3600' }, body: 'slow down' },
      { type: 'rateLimited', retryAfterMs: 3_600_000 },
    ],
    [
      { status: 502, body: '<html>Bad gateway' },
      { type: 'serverInternal', message: /status 502/ },
    ],
    [{ status: 404, body: '' }, { type: 'nonsense' }],
    [
      { status: 403, body: '<html>Forbidden by a proxy' },
      { type: 'nonsense', message: /status 403/ },
    ],
    [
      problem(
        'compound',
        403,
        {},
        {
          subproblems: [{ type: `${PROBLEM}caa`, detail: 'not you', identifier: { type: 'dns', value: NAME } }],
        },
      ),
      { type: 'caa', identifier: NAME, hint: /CAA/, message: /not you/ },
    ],
    [
      problem('rejectedIdentifier', 400, {}, { detail: 'a\u001b[31mred\u0007\n\u202eword' }),
      { type: 'rejectedIdentifier', message: /a \[31mred word$/ },
    ],
    [problem('__proto__', 400), { type: 'nonsense' }],
    [
      { status: 400, headers: { 'content-type': 'application/problem+json' }, body: { type: 7, detail: [] } },
      { type: 'nonsense' },
    ],
  ]
  for (const [answer, expected] of cases) {
    fake.instead('newOrder', answer)
    t.match(await errorOf(issue()), { code: 'MAKI_AUTHORITY', hint: String, ...expected }, JSON.stringify(expected))
  }
  fake.instead('newOrder', problem('rateLimited', 429, { 'retry-after': date }))
  const { retryAfterMs } = await errorOf(issue())
  t.ok(Number(retryAfterMs) > 3_500_000 && Number(retryAfterMs) <= 3_600_000, 'a date')
})

t.test('what passes is waited for: no order ends of it', async (t) => {
  const { fake, issue } = await open(t)
  const drop: Answer = (response) => {
    response.destroy()
  }
  for (const resource of ['newOrder', 'authz', 'challenge', 'order', 'finalize', 'certificate', 'newNonce']) {
    const passing: readonly Answer[] = [problem('serverInternal', 500), problem('badNonce', 400), drop]
    for (const answer of passing) {
      if (resource === 'newNonce' && answer !== drop) continue
      fake.instead(resource, answer, 1)
      t.strictSame((await issue()).names, [NAME], resource)
    }
  }
  // It was done, and its answer was lost.
  const lost: Answer = async (response, right) => {
    const end = response.end.bind(response)
    response.end = (() => response) as typeof response.end
    await right()
    response.end = end
    response.destroy()
  }
  fake.instead('finalize', lost, 1)
  t.strictSame((await issue()).names, [NAME], 'the answer to the end was lost')
})

t.test('nonces that are refused for ever, answers that never come or never end', async (t) => {
  const { fake, issue } = await open(t)
  fake.instead('newOrder', problem('badNonce', 400))
  const before = fake.asked.length
  t.match(await errorOf(issue()), { type: 'badNonce' })
  t.ok(fake.asked.length - before < 40, `${fake.asked.length - before} requests`)
  fake.instead('newOrder', () => {})
  t.match(await errorOf(issue()), { type: 'unreachable' })
  fake.instead('newOrder', (response) => {
    response.writeHead(201, { 'content-type': 'application/json' })
    const more = () => {
      while (response.write(Buffer.alloc(65_536, 0x20)));
    }
    response.on('drain', more)
    more()
  })
  t.match(await errorOf(issue()), { type: 'nonsense', message: /KiB/ })
})

t.test('an authority that looks for ever is left', async (t) => {
  const { fake, authority, account } = await open(t)
  const order = await authority.order(account, REQUEST, signal)
  fake.instead('challenge', { status: 200, body: {} })
  t.match(await errorOf(order.validate(signal)), { type: 'unreachable', message: /did not end/ })
})

t.test('stopped in the middle, it stops at once', async (t) => {
  const { fake, authority, account } = await open(t)
  const order = await authority.order(account, REQUEST, signal)
  fake.instead('challenge', { status: 200, body: {} })
  const stop = new AbortController()
  fake.instead('authz', async (_, right) => {
    stop.abort(new Error('the daemon ends'))
    await right()
  })
  await t.rejects(order.validate(stop.signal), /the daemon ends/)
})

t.test('nonsense in every place', async (t) => {
  const { fake, issue } = await open(t)
  const json = { 'content-type': 'application/json' }
  const bad = (answer: Answer, resource = 'newOrder') => ({ answer, resource })
  const order = { status: 'pending', authorizations: [] as string[], finalize: `${fake.directory}` }
  const created = (body: object, location = `${fake.directory}`) =>
    bad({ status: 201, headers: { ...json, location }, body })
  for (const { answer, resource } of [
    bad({ status: 201, headers: json, body: '{"status":' }),
    bad({ status: 201, headers: json, body: order }),
    bad({ status: 307, headers: { location: 'https://elsewhere.test/' } }),
    created({}),
    created({ ...order, status: 'great' }),
    created(order),
    created({ ...order, authorizations: 'x' }),
    created({ ...order, authorizations: ['file:///etc/passwd'] }),
    created({ ...order, authorizations: ['http://169.254.169.254/latest/meta-data'] }),
    created({ ...order, authorizations: ['https://user:word@elsewhere.test/'] }),
    created({ ...order, authorizations: Array.from({ length: 5000 }, (_, i) => `${fake.directory}${i}`) }),
    bad(
      { status: 200, body: { status: 'pending', identifier: { type: 'dns', value: 'bank.test' }, challenges: [] } },
      'authz',
    ),
    bad(
      { status: 200, body: { status: 'pending', identifier: { type: 'dns', value: '..' }, challenges: [] } },
      'authz',
    ),
    bad(
      { status: 200, body: { status: 'pending', identifier: { type: 'ip', value: '192.0.2.1' }, challenges: [] } },
      'authz',
    ),
    bad({ status: 200, body: null }, 'authz'),
  ]) {
    fake.instead(resource, answer)
    const error = await errorOf(issue())
    t.match(error, { type: 'nonsense', code: 'MAKI_AUTHORITY', hint: String }, `${resource} ${error.message}`)
    fake.well(resource)
  }
  const token = (text: string) => ({
    status: 200,
    body: {
      status: 'pending',
      identifier: { type: 'dns', value: NAME },
      challenges: [{ type: 'http-01', url: `${fake.directory}`, token: text }],
    },
  })
  for (const text of ['../../etc/passwd', 'a b', '', 'x'.repeat(300)]) {
    fake.instead('authz', token(text))
    t.match(await errorOf(issue()), { type: 'unsupported' }, 'a token that is none is not shown')
  }
  fake.well('authz')
  t.strictSame((await issue()).names, [NAME], 'and all is well again')
})

t.test('certificates that are not the one', async (t) => {
  const { fake, issue } = await open(t)
  const pair = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const pem = { 'content-type': 'application/pem-certificate-chain' }
  const send = (body: string): Answer => ({ status: 200, headers: pem, body })
  for (const body of [await fake.issue(pair.publicKey, [NAME]), fake.root, '', 'x'.repeat(300_000)]) {
    fake.instead('certificate', send(body), 1)
    t.match(await errorOf(issue()), { type: 'wrong-certificate' }, body.slice(0, 20))
  }
  const right = fake.issue.bind(fake)
  for (const names of [[NAME, 'bank.test'], ['other.test']]) {
    fake.issue = (key) => right(key, names)
    t.match(await errorOf(issue()), { type: 'wrong-certificate' }, names.join())
  }
  fake.issue = right
  for (const options of [{ sinceMs: 86_400_000 }, { sinceMs: -86_400_000, lifeMs: 3_600_000 }]) {
    fake.options = options
    t.match(await errorOf(issue()), { type: 'clock', hint: /clock/ }, JSON.stringify(options))
  }
})

t.test('windows for renewal that are none', async (t) => {
  const options = { startMs: 0, endMs: 0, retryAfter: '1' }
  const { fake, authority, issue } = await open(t, { window: () => options })
  const { chain } = await issue()
  for (const body of [
    {},
    { suggestedWindow: { start: 'x', end: 'y' } },
    { suggestedWindow: { start: 5, end: [] } },
    'text',
    null,
  ]) {
    fake.instead('renewalInfo', { status: 200, body })
    t.match(await errorOf(authority.renewalInfo(chain, signal)), { type: 'nonsense' })
  }
  fake.instead('renewalInfo', { status: 404 })
  t.equal(await authority.renewalInfo(chain, signal), undefined)
  const suggestedWindow = { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' }
  for (const [retryAfter, askAgainMs] of [
    ['0', 60_000],
    ['999999999', 86_400_000],
    ['never', 21_600_000],
  ] as const) {
    fake.instead('renewalInfo', {
      headers: { 'content-type': 'application/json', 'retry-after': retryAfter },
      body: { suggestedWindow, explanationURL: 'javascript:alert(1)' },
    })
    const info = await authority.renewalInfo(chain, signal)
    t.equal(info?.askAgainMs, askAgainMs)
    t.notOk(info && 'explanation' in info)
  }
})
