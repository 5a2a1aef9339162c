import { execFile } from 'node:child_process'
import { scryptSync } from 'node:crypto'
import { promisify } from 'node:util'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Log, MAX_PATH_LENGTH } from '../../../core/index.ts'
import { startHttpServer } from '../../../edge/index.ts'
import { SiteRules } from '../../../edge/rules/index.ts'
import { buildManifest, buildSite, buildTable, decide, MemoryBlobs, siteRequest } from '../fixtures.ts'

const exec = promisify(execFile)
const PASSWORD = 'correct horse'
/** Of no password. */
const UNCHECKED = `$scrypt$ln=8,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`

t.test('curl with a password, without, and with others', async (t) => {
  // Cheaper than those that maki password makes: guesses are many here.
  const salt = systemRuntime.randomBytes(16)
  const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
  const hash = `$scrypt$ln=8,r=8,p=1$${encode(salt)}$${encode(scryptSync(PASSWORD, salt, 32, { N: 256, r: 8, p: 1 }))}`
  const { rules } = SiteRules.parse({ _headers: new TextEncoder().encode(`/secret/*\n  Basic-Auth: ann:${hash}\n`) })
  const blobs = new MemoryBlobs()
  const site = buildSite(buildManifest(blobs, { 'index.html': 'home', 'secret/index.html': 'secret' }))
  const table = buildTable({ ...site, release: site.release && { ...site.release, rules } })
  const told: string[] = []
  const tell = (event: string, data?: Record<string, unknown>) => void told.push(JSON.stringify([event, data]))
  const log: Log = { debug: tell, info: tell, warn: tell, error: tell }
  for (const fast of [true, false]) {
    const server = await startHttpServer({
      table: () => table,
      blobs,
      node: 'n',
      host: '127.0.0.1',
      port: 0,
      log,
      runtime: systemRuntime,
      fast,
      access: { share: 1, linesPerSecond: 1000, addresses: 'full', write: (line) => told.push(line) > 0 },
    })
    t.teardown(() => server.close())
    const ask = async (...args: string[]) => {
      const format = ['-sS', '-H', 'Host: example.com', '-w', ' %{http_code}']
      return (await exec('curl', [...format, ...args])).stdout.trim()
    }
    const url = `http://127.0.0.1:${server.address.port}/secret/`
    for (let i = 0; i < 3; i++) {
      t.equal(await ask(url), '401 Unauthorized\n 401', 'nobody')
      t.equal(await ask('-u', `ann:${PASSWORD}`, url), 'secret 200', 'ann')
      t.equal(await ask('-u', 'ann:wrong battery', url), '401 Unauthorized\n 401', 'ann, who mistypes')
      t.equal(await ask('-u', `bob:${PASSWORD}`, url), '401 Unauthorized\n 401', 'bob')
    }
    t.equal(await ask(`http://127.0.0.1:${server.address.port}/`), 'home 200', 'and the rest is open')
    const many = Array.from({ length: 25 }, (_, i) => ask('-o', '/dev/null', '-u', `ann:guess ${i}`, url))
    const statuses = await Promise.all(many)
    t.ok(statuses.includes('429'), 'who guesses has to wait')
    t.ok(statuses.every((status) => ['401', '429'].includes(status)))
    t.equal(await ask('-u', `ann:${PASSWORD}`, url), 'secret 200', 'and who is known has not')
  }
  t.ok(
    told.some((line) => line.includes('/secret/')),
    'the log tells of these requests',
  )
  for (const secret of [PASSWORD, 'battery', 'guess', Buffer.from(`ann:${PASSWORD}`).toString('base64'), hash])
    t.notOk(
      told.some((line) => line.includes(secret)),
      'and never of a password',
    )
})

t.test('no way to write a path leads past a password', async (t) => {
  const { rules } = SiteRules.parse({ _headers: new TextEncoder().encode(`/*\n  Basic-Auth: ann:${UNCHECKED}\n`) })
  const blobs = new MemoryBlobs()
  const files = { 'index.html': 'SECRET', '404.html': 'SECRET', 'plan.html': 'SECRET', 'a/index.html': 'SECRET' }
  const site = buildSite(buildManifest(blobs, files))
  const long = '/'.repeat(MAX_PATH_LENGTH + 10)
  const ways = [
    '',
    'plan',
    'plan.html',
    'plan/',
    'a',
    'a/',
    'a/index',
    '404',
    'none',
    '%70lan',
    'plan?x',
    'Plan',
    'plan;x',
  ]
  const odd = [
    '..',
    '.',
    '../plan',
    './plan',
    '%2e%2e/plan',
    'a/../plan',
    'a//plan',
    '%2fplan',
    '%5cplan',
    '%',
    '%00',
    '%ff',
  ]
  for (const spa of [true, false]) {
    const table = buildTable({ ...site, spa, release: site.release && { ...site.release, rules } })
    for (const way of [...ways, ...odd])
      for (const target of [
        `/${way}`,
        `//${way}`,
        `${long}${way}`,
        `/${way}${long}`,
        `/a${long}${way}`,
        `/${way}${long}x`,
        `http://example.com/${way}`,
        `http://example.com/${way}${long}`,
        `/${'x'.repeat(MAX_PATH_LENGTH)}/${way}`,
        `/${way}/${'x'.repeat(MAX_PATH_LENGTH)}`,
      ]) {
        const { status, body } = decide(siteRequest({ target }), table, { node: 'n' })
        t.ok([400, 401].includes(status), `${status} for ${target.slice(0, 40)}`)
        t.notOk(body.kind === 'blob', target.slice(0, 40))
      }
  }
})
