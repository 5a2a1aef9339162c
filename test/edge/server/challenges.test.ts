import t, { type Test } from 'tap'
import type { Change, Hostname, MemberKey } from '../../../core/index.ts'
import { HttpChallenges } from '../../../edge/index.ts'
import { SecuredHosts } from '../../../edge/site/index.ts'
import { ClusterState } from '../../dns/cluster-state.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, sendRaw } from '../fixtures.ts'
import { startSite } from './support/https-site.ts'

const NOW_MS = 1_000_000_000_000
const PATH = '/.well-known/acme-challenge/'
const TOKENS = ['tokenA', 'tokenB', 'token-C_', 'file'] as const
const HOSTS = ['example.com', 'www.example.com', 'nobody.example'] as const

const challenge = (host: string, tokens: readonly string[], number = 1, untilMs = NOW_MS): Change => ({
  kind: 'challenge.set',
  host: host as Hostname,
  http: tokens.map((token) => ({ token, authorization: `${token}.${'k'.repeat(42)}${number}` })),
  dns: [],
  untilMs,
})
const shown = (token: string, number = 1) => `${token}.${'k'.repeat(42)}${number}`

/** A site with a file of its own at the path of a token, in clear with both readers of requests, and over TLS. */
async function start(t: Test) {
  const cluster = new ClusterState()
  const clock = { nowMs: NOW_MS }
  const challenges = new HttpChallenges({ now: () => clock.nowMs })
  const blobs = new MemoryBlobs()
  const manifest = buildManifest(blobs, { 'index.html': 'home', [`${PATH.slice(1)}file`]: 'a file' })
  const hosts = ['example.com', 'www.example.com'] as Hostname[]
  const secured = new SecuredHosts(['example.com']).of('example.com', hosts)
  const table = buildTable(buildSite(manifest, { hosts, secured }))
  const common = { table: () => table, blobs, challenges }
  const { server: fast } = await startSite(t, common)
  const { server: plain } = await startSite(t, { ...common, fast: false })
  const put = (...changes: Change[]) => challenges.refresh(cluster.state, cluster.commit(...changes))
  const request = (host: string, path: string, method = 'GET') =>
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  const ask = async (host: string, path: string, method?: string) => {
    const answers = await Promise.all([fast, plain].map(({ address }) => sendRaw(address, request(host, path, method))))
    const [one, other] = answers.map((raw) => raw.replace(/^date: [^\r]*\r\n/im, ''))
    t.equal(one, other, `${method ?? 'GET'} ${host} ${path}: both readers answer the same`)
    return one ?? ''
  }
  return { cluster, clock, put, ask, fast }
}

const bodyOf = (raw: string) => raw.slice(raw.indexOf('\r\n\r\n') + 4)
const statusOf = (raw: string) => Number(raw.split(' ')[1])

t.test('tokens are shown for exactly their host, also where there is no site and where HTTPS is told of', async (t) => {
  const { put, ask, cluster, clock } = await start(t)
  t.equal(statusOf(await ask('example.com', `${PATH}tokenA`)), 404)
  put(challenge('example.com', ['tokenA', 'tokenB']), challenge('nobody.example', ['tokenA'], 2))
  for (const host of ['example.com', 'EXAMPLE.com.', 'example.com:80']) {
    const raw = await ask(host, `${PATH}tokenA`)
    t.equal(bodyOf(raw), shown('tokenA'), host)
    t.match(raw, /content-type: application\/octet-stream\r\n/i)
    t.match(raw, /cache-control: no-store\r\n/i)
  }
  const head = await ask('example.com', `${PATH}tokenB`, 'HEAD')
  t.same([statusOf(head), bodyOf(head)], [200, ''])
  t.match(head, new RegExp(`content-length: ${shown('tokenB').length}\r\n`, 'i'))
  t.equal(bodyOf(await ask('nobody.example', `${PATH}tokenA`)), shown('tokenA', 2))
  for (const [host, path, status] of [
    ['www.example.com', `${PATH}tokenA`, 404],
    ['nobody.example', `${PATH}tokenB`, 404],
    ['nobody.example', '/', 404],
    ['example.com', `${PATH}tokenA/`, 404],
    ['example.com', `${PATH}tokenA?x=1`, 404],
    ['example.com', `${PATH}toKenA`, 404],
    ['example.com', `${PATH}%74okenA`, 404],
    ['example.com', `${PATH}constructor`, 404],
    ['example.com', `${PATH}`, 404],
    ['example.com', `${PATH}../acme-challenge/tokenA`, 400],
    ['bad host', `${PATH}tokenA`, 400],
  ] as const)
    t.equal(statusOf(await ask(host, path)), status, `${host} ${path}`)
  t.equal(statusOf(await ask('example.com', `${PATH}tokenA`, 'POST')), 405)
  t.equal(statusOf(await ask('example.com', '/')), 308, 'others are sent to HTTPS')

  t.equal(bodyOf(await ask('example.com', `${PATH}file`)), 'a file', "a site's own file")
  put(challenge('example.com', ['file'], 7))
  t.equal(bodyOf(await ask('example.com', `${PATH}file`)), shown('file', 7), 'a token of ours goes before it')
  t.equal(statusOf(await ask('example.com', `${PATH}tokenA`)), 404, 'said again without it')

  clock.nowMs = NOW_MS + 4 * 60_000
  t.equal(bodyOf(await ask('example.com', `${PATH}file`)), shown('file', 7), 'some minutes of grace')
  clock.nowMs = NOW_MS + 6 * 60_000
  t.equal(bodyOf(await ask('example.com', `${PATH}file`)), 'a file', 'its time is over')
  clock.nowMs = NOW_MS
  const author = cluster.state.scope('challenge/example.com')[0]?.author as MemberKey
  put({ kind: 'challenge.remove', host: 'example.com' as Hostname, author })
  t.equal(bodyOf(await ask('example.com', `${PATH}file`)), 'a file')
})

for (const seed of seeds(5)) {
  t.test(`tokens that come and go: nothing is remembered (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const { put, ask, cluster } = await start(t)
    const known = new Map<string, number>()
    for (let step = 0; step < 60; step++) {
      const host = random.pick(HOSTS)
      if (random.chance(0.4)) {
        for (const token of TOKENS) known.delete(`${host} ${token}`)
        const tokens = TOKENS.filter(() => random.chance(0.4))
        for (const token of tokens) known.set(`${host} ${token}`, step % 10)
        put(challenge(host, tokens, step % 10))
      } else if (random.chance(0.2)) {
        const author = cluster.state.scope(`challenge/${host}`)[0]?.author
        if (author !== undefined) put({ kind: 'challenge.remove', host: host as Hostname, author })
        for (const token of TOKENS) known.delete(`${host} ${token}`)
      }
      const [asked, token] = [random.pick(HOSTS), random.pick(TOKENS)]
      const body = bodyOf(await ask(asked, `${PATH}${token}`))
      const number = known.get(`${asked} ${token}`)
      const isFile = token === 'file' && asked !== 'nobody.example'
      const expected = number !== undefined ? shown(token, number) : isFile ? 'a file' : '404 Not Found\n'
      t.equal(body, expected, `step ${step}: ${asked} ${token}`)
    }
  })
}
