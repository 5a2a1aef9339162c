import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type CertificateName, type ChallengeWay, type Hostname, silentLog } from '../../../core/index.ts'
import { type AcmeAccount, type AcmeOrder, type Authority, openAuthority } from '../../../edge/index.ts'
import { Child } from '../../support/child.ts'
import { findFreePorts } from '../../support/free-ports.ts'
import { Pebble } from '../../support/pebble.ts'

/** The adapter against Debian's pebble: strict, and half of all good nonces are refused. */

const base = await findFreePorts([0, 1, 2])
const [dnsPort, management, httpPort] = [base, base + 1, base + 2]
const resolver = new Child('pebble-challtestsrv', [
  ...['-dns01', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${management}`],
  ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''],
])
t.teardown(() => resolver[Symbol.asyncDispose]())
await resolver.waitForLine((line) => line.includes('Starting management server'))

const shown = new Map<string, string>()
const web = createServer((request, response) => {
  const found = shown.get(`${request.headers.host?.replace(/:\d+$/, '')}${request.url}`)
  response.writeHead(found === undefined ? 404 : 200).end(found)
})
web.listen(httpPort, '127.0.0.1')
await once(web, 'listening')
t.teardown(() => web.close())

const pebble = await Pebble.open({ resolver: `127.0.0.1:${dnsPort}`, httpPort, refusedNonces: 50 })
t.teardown(() => pebble[Symbol.asyncDispose]())

const open = ({ directory, apiCa }: Pebble): Authority =>
  openAuthority({ directory, ca: apiCa, runtime: systemRuntime, log: silentLog, version: 'test' })
const authority = open(pebble)
const { signal } = new AbortController()
const account = await authority.register({ email: 'owner@example.com' }, signal)

const name = (text: string) => text as CertificateName
const waysOf = (entries: Record<string, ChallengeWay>) =>
  new Map(Object.entries(entries)) as unknown as ReadonlyMap<Hostname, ChallengeWay>

async function setTxt(host: string, values: readonly string[]): Promise<void> {
  const record = { host: `_acme-challenge.${host}.`, value: '' }
  await fetch(`http://127.0.0.1:${management}/clear-txt`, { method: 'POST', body: JSON.stringify(record) })
  for (const value of values) {
    const body = JSON.stringify({ ...record, value })
    await fetch(`http://127.0.0.1:${management}/set-txt`, { method: 'POST', body })
  }
}

/** Shows all that the authority asks for. */
async function show(order: AcmeOrder): Promise<void> {
  const dns = new Map<string, string[]>()
  for (const { host, type, token, authorization, digest } of order.challenges) {
    if (type === 'http-01') shown.set(`${host}/.well-known/acme-challenge/${token}`, authorization)
    else dns.set(host, [...(dns.get(host) ?? []), digest])
  }
  for (const [host, digests] of dns) await setTxt(host, digests)
}

/** Orders, shows and finishes. */
async function issue(
  at: Authority,
  by: AcmeAccount,
  names: readonly string[],
  ways: Record<string, ChallengeWay>,
  more: { readonly replaces?: string } = {},
) {
  const order = await at.order(by, { names: names.map(name).sort(), ways: waysOf(ways), ...more }, signal)
  await show(order)
  await order.validate(signal)
  return { order, issued: await order.finish(signal) }
}

async function refused(t: Test, tried: Promise<unknown>, expected: object, what: string): Promise<void> {
  const error = await tried.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.match(error, { name: 'MakiError', hint: String, ...expected }, what)
}

t.test('describes itself', async (t) => {
  t.match(await authority.describe(signal), { authorities: [], needsBinding: false, offersRenewalInfo: false })
  t.match(account.url, /^https:\/\/127\.0\.0\.1:\d+\/my-account\//)
  t.match(account.key, /^-----BEGIN PRIVATE KEY-----/)
})

t.test('one certificate by both ways: an apex with its wildcard by DNS-01, another host by HTTP-01', async (t) => {
  const names = ['shop.test', '*.shop.test', 'www.other.test']
  const ways = { 'shop.test': 'dns-01', 'www.other.test': 'http-01' } as const
  const { order, issued } = await issue(authority, account, names, ways)
  t.strictSame(order.challenges.map(({ host, wildcard, type }) => `${type} ${wildcard ? '*.' : ''}${host}`).sort(), [
    'dns-01 *.shop.test',
    'dns-01 shop.test',
    'http-01 www.other.test',
  ])
  for (const { authorization, digest, token } of order.challenges) {
    t.equal(digest, createHash('sha256').update(authorization).digest('base64url'))
    t.ok(authorization.startsWith(`${token}.`))
  }
  t.strictSame(issued.names, [...names].sort())
  const [leaf, signer] = issued.chain.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) as [string, string]
  const root = new X509Certificate(await pebble.root())
  t.ok(new X509Certificate(signer).checkIssued(root) && new X509Certificate(signer).verify(root.publicKey))
  t.ok(new X509Certificate(leaf).verify(new X509Certificate(signer).publicKey))
  t.ok(issued.notBeforeMs < issued.notAfterMs)

  const again = await issue(authority, account, names, ways, { replaces: issued.chain })
  t.not(again.issued.key, issued.key, 'each has a key of its own')
})

t.test('what is not shown is refused, with the reason in words', async (t) => {
  const order = await authority.order(
    account,
    { names: [name('gone.test')], ways: waysOf({ 'gone.test': 'http-01' }) },
    signal,
  )
  await refused(
    t,
    order.validate(signal),
    { type: 'unauthorized', identifier: 'gone.test', code: 'MAKI_AUTHORITY', message: /404/ },
    'HTTP-01',
  )
  const wrong = await authority.order(
    account,
    { names: [name('*.gone.test')], ways: waysOf({ 'gone.test': 'dns-01' }) },
    signal,
  )
  await setTxt('gone.test', ['a'.repeat(43)])
  await refused(t, wrong.validate(signal), { type: 'unauthorized', identifier: 'gone.test' }, 'DNS-01')
  await refused(
    t,
    wrong.finish(signal),
    { type: /orderNotReady|unauthorized|serverInternal|malformed/ },
    'and is not to be had',
  )
})

t.test('an account that has ended, and one that nobody knows', async (t) => {
  const other = await authority.register({}, signal)
  t.not(other.url, account.url)
  t.equal(await authority.hasEnded(other, signal), false)
  await authority.deactivate(other, signal)
  t.equal(await authority.hasEnded(other, signal), true)
  const request = { names: [name('x.test')], ways: waysOf({ 'x.test': 'http-01' }) }
  await refused(t, authority.order(other, request, signal), { type: 'unauthorized' }, 'deactivated')
  const stranger = { ...account, key: other.key }
  await refused(t, authority.order(stranger, request, signal), { code: 'MAKI_AUTHORITY' }, 'another key')
  const nobody = { ...account, url: `${account.url}0` }
  await refused(t, authority.order(nobody, request, signal), { type: 'accountDoesNotExist' }, 'another account')
  t.equal(await authority.hasEnded(nobody, signal), true)
})

t.test('revokes by the account and by the key, and again', async (t) => {
  const ways = { 'old.test': 'http-01' } as const
  const serial = (chain: string) => new X509Certificate(chain).serialNumber.toLowerCase()
  for (const how of ['account', 'key'] as const) {
    const { issued } = await issue(authority, account, ['old.test'], ways)
    const pem = issued.chain
    const certificate = { pem, reason: 1, by: how === 'key' ? { key: issued.key } : account }
    await authority.revoke(certificate, signal)
    t.match(await pebble.manage(`/cert-status-by-serial/${serial(pem)}`), /"Status":\s*"Revoked"/, how)
    await t.resolves(authority.revoke(certificate, signal), 'one that is revoked already is fine')
  }
  const { issued } = await issue(authority, account, ['old.test'], ways)
  const other = await authority.register({}, signal)
  await refused(
    t,
    authority.revoke({ pem: issued.chain, reason: 1, by: other }, signal),
    { type: 'unauthorized' },
    'of another',
  )
})

t.test('accounts that are bound to a customer', async (t) => {
  const hmacKey = randomBytes(32).toString('base64url')
  const where = { resolver: `127.0.0.1:${dnsPort}`, httpPort }
  await using bound = await Pebble.open({ ...where, bindings: { customer: hmacKey } })
  const at = open(bound)
  t.match(await at.describe(signal), { needsBinding: true })
  await refused(t, at.register({}, signal), { type: 'externalAccountRequired', hint: /eab_key_id/ }, 'none')
  const wrong = { keyId: 'customer', hmacKey: randomBytes(32).toString('base64url') }
  await refused(t, at.register({ binding: wrong }, signal), { code: 'MAKI_AUTHORITY' }, 'a wrong one')
  const mine = await at.register({ binding: { keyId: 'customer', hmacKey } }, signal)
  const { issued } = await issue(at, mine, ['bound.test'], { 'bound.test': 'http-01' })
  t.strictSame(issued.names, ['bound.test'])
})

t.test('what was shown lately is not asked for again', async (t) => {
  const where = { resolver: `127.0.0.1:${dnsPort}`, httpPort }
  await using forgetting = await Pebble.open({ ...where, reused: 100 })
  const at = open(forgetting)
  const mine = await at.register({}, signal)
  const ways = { 'again.test': 'http-01' } as const
  await issue(at, mine, ['again.test'], ways)
  const { order, issued } = await issue(at, mine, ['again.test'], ways)
  t.strictSame(order.challenges, [])
  t.strictSame(issued.names, ['again.test'])
})

t.test('an authority that is not there, or that nobody vouches for', async (t) => {
  const { directory } = pebble
  const strange = openAuthority({ directory, runtime: systemRuntime, log: silentLog, version: 'test' })
  await refused(
    t,
    strange.describe(signal),
    { type: 'unreachable', code: 'MAKI_UNREACHABLE', message: /certificate/ },
    'TLS',
  )
  const [port] = [await findFreePorts([0])]
  const gone = openAuthority({
    directory: `https://127.0.0.1:${port}/dir`,
    runtime: systemRuntime,
    log: silentLog,
    version: 'test',
  })
  await refused(t, gone.register({}, signal), { type: 'unreachable' }, 'nobody listens')
  const ended = AbortSignal.abort(new Error('the daemon ends'))
  await t.rejects(authority.order(account, { names: [name('x.test')], ways: waysOf({}) }, ended), /the daemon ends/)
  for (const directory of ['http://example.com/dir', 'file:///etc/passwd', 'nonsense', 'ftp://127.0.0.1/'])
    t.throws(() => openAuthority({ directory, runtime: systemRuntime, log: silentLog, version: 'test' }), {
      code: 'MAKI_CONFIG',
    })
})
