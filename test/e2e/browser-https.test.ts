import { createHash, X509Certificate } from 'node:crypto'
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { CertificateMaker } from '../support/certificate-maker.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'
import { createRandom } from '../support/seeds.ts'
import { Browser, CHROMIUM, type Visit } from './support/browser.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { sha256 } from './support/http.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** What a visitor does with a real browser over HTTPS, on two daemons with workers: the second answers for another name of the site. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const STATIC = 'static.shop.test'
const RELEASES = 4
/** More than a browser takes ahead of who reads. */
const LARGE_BYTES = 32 * 1024 * 1024

const large = createRandom(1).bytes(LARGE_BYTES)
const library = `export const answer = 42\n${Array.from({ length: 400 }, (_, i) => `// line ${i} of a library`).join('\n')}`

/** A page that takes its chunks from the other name, and one of them late. */
function writeShop(version: string): Record<string, string | Uint8Array> {
  const text = (name: string) => `export const text = '${name} of ${version}'`
  const named = (name: string) => `assets/${name}-${sha256(text(name)).slice(0, 16)}.js`
  return {
    _headers: '/*\n  Access-Control-Allow-Origin: *\n  Access-Control-Expose-Headers: *\n  Timing-Allow-Origin: *\n',
    'index.html': `<!doctype html><title>${version}</title><link rel="icon" href="data:,"><button>late</button>
      <output></output><script type="module">
      const other = 'https://' + (location.hostname === '${HOST}' ? '${STATIC}' : '${HOST}')
      const base = location.port === '' ? other : location.origin
      const say = (text) => { document.querySelector('output').textContent = text }
      document.querySelector('button').onclick = async () => say((await import(base + '/${named('late')}')).text)
      say((await import(base + '/${named('main')}')).text)</script>`,
    [named('main')]: text('main'),
    [named('late')]: text('late'),
    'library.js': library,
    'large.bin': large,
    'sw.js': `
      addEventListener('install', () => skipWaiting())
      addEventListener('activate', (event) => event.waitUntil(clients.claim()))
      addEventListener('fetch', (event) => {
        if (event.request.url.endsWith('/version')) event.respondWith(new Response('${version}'))
      })`,
    'worker.html': `<title>worker</title><link rel="icon" href="data:,"><script type="module">
      await navigator.serviceWorker.register('/sw.js')
      await navigator.serviceWorker.ready
      document.title = 'installed'</script>`,
  }
}

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 2 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const [first, second] = cluster.daemons as [Daemon, Daemon]
// The same port of two addresses, as two servers have it.
const port = await findFreePorts([0])
const addressOf = (daemon: Daemon): string => (daemon === first ? '127.0.0.1' : '127.0.0.2')
for (const daemon of cluster.daemons) {
  const https = `workers = 1\nhttps_addr = "${addressOf(daemon)}:${port}"`
  daemon.configure((text) => text.replace('workers = 0', https).replace('local_hosts = true', 'local_hosts = false'))
}
await cluster.start()

const maki = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await scene.maki(args, {
    cwd: scene.path('shop'),
    env: { MAKIATTO_PROFILE: cluster.profile },
  })
  if (code !== 0) throw new Error(`maki ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

/** What Chromium is to trust: whatever comes with the authority of this test in its chain, whichever key it has. */
const authority = readFileSync(maker.caFile, 'utf8')
const trusted = createHash('sha256')
  .update(new X509Certificate(authority).publicKey.export({ type: 'spki', format: 'der' }))
  .digest('base64')
const TRUST = [`--ignore-certificate-errors-spki-list=${trusted}`]

/** Imports a new certificate; the common name of its subject, which no other has. */
async function importCertificate(type: 'ec' | 'rsa'): Promise<string> {
  const { chain, key } = maker.make([HOST, `*.${HOST}`], type)
  writeFileSync(scene.path('shop', 'cert.pem'), chain + authority)
  writeFileSync(scene.path('shop', 'key.pem'), key)
  await maki('cert', 'import', 'cert.pem', '--private-key', 'key.pem')
  return new X509Certificate(chain).subject.replace('CN=', '')
}

function writeRelease(version: string): void {
  rmSync(scene.path('shop', 'public', 'assets'), { recursive: true, force: true })
  writeProject(scene.path('shop'), { domain: HOST, more: `aliases = ["${STATIC}"]`, files: writeShop(version) })
}

writeRelease('a')
await maki('sync', '--wait', 'all')
await importCertificate('ec')
const https = (daemon: Daemon): string => `https://${addressOf(daemon)}:${port}`
const browser = await Browser.launch(
  {
    [`${HOST}:80`]: first.http,
    [`${HOST}:443`]: https(first),
    [`${STATIC}:443`]: https(second),
    [`*--preview.${HOST}:443`]: https(second),
  },
  { args: TRUST },
)
t.teardown(() => browser[Symbol.asyncDispose]())
await eventually('HTTPS at both nodes, and the way there', async () => {
  for (const host of [HOST, STATIC]) await browser.close(await browser.visit(`https://${host}/`))
  const { page } = await browser.visit(`http://${HOST}/`)
  const at = page.url()
  await page.context().close()
  return at === `https://${HOST}/` ? true : undefined
})

const protocols = (page: Page): Promise<unknown> =>
  page.evaluate(`[...new Set(['navigation', 'resource'].flatMap((type) =>
    performance.getEntriesByType(type).filter(({ name }) => name.startsWith('https:')).map((entry) => entry.nextHopProtocol)))]`)
const said = (page: Page, text: string): Promise<void> => page.getByText(text, { exact: true }).waitFor()
const nodeOf = ({ answers }: Visit, url: string): string | undefined =>
  answers.findLast((answer) => answer.url === url)?.headers['makiatto-node']

t.test('from HTTP a visitor is sent to HTTPS, once, and is spoken to in HTTP/2', async (t) => {
  const { page, complaints, answers } = await browser.visit(`http://${HOST}/`)
  await said(page, 'main of a')
  t.strictSame([answers[0]?.status, answers[1]?.url, answers[1]?.status], [308, `https://${HOST}/`, 200])
  t.strictSame(await protocols(page), ['h2'])
  await page.goto(`http://${HOST}/library.js`)
  const again = answers.findLast(({ url }) => url.startsWith('http:'))
  // What Chromium answers itself, without asking anybody (RFC 6797).
  t.match(again, { status: 307, headers: { 'non-authoritative-reason': 'HSTS' } })
  t.equal(page.url(), `https://${HOST}/library.js`)
  t.strictSame(complaints, [])
})

t.test('text comes encoded as soon as that is ready, and is the same text', async (t) => {
  const load = `fetch('/library.js', { cache: 'no-store' }).then((r) => r.text())`
  const visit = await browser.visit(`https://${HOST}/`)
  const coding = await eventually('an encoding', async () => {
    t.equal(await visit.page.evaluate(load), library)
    return visit.answers.findLast(({ url }) => url.endsWith('/library.js'))?.headers['content-encoding']
  })
  t.match(coding, /^(?:br|zstd)$/)
  t.equal(await visit.page.evaluate(load), library, 'encoded')
  t.equal(await visit.page.evaluate(`import('/library.js').then(({ answer }) => answer)`), 42)
  t.strictSame(visit.complaints, [])
})

/** Loads until at least `wanted` bytes came, and no more; then the rest by a range. In a page. */
const RESUME = `async (wanted, between) => {
  const digest = async (parts) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer()))]
    .map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const parts = []
  let length = 0
  const leaving = new AbortController()
  const begun = await fetch('/large.bin', { cache: 'no-store', signal: leaving.signal })
  const reader = begun.body.getReader()
  while (length < wanted) {
    const { value } = await reader.read()
    parts.push(value)
    length += value.length
  }
  const broken = between === undefined ? (leaving.abort(), undefined) : await between().then(async () => {
    try { while (!(await reader.read()).done); return 'whole' } catch { return 'broken' }
  })
  const rest = await fetch('/large.bin', { cache: 'no-store',
    headers: { range: 'bytes=' + length + '-', 'if-range': begun.headers.get('etag') } })
  parts.push(await rest.arrayBuffer())
  return { broken, status: rest.status, from: begun.headers.get('makiatto-node'), to: rest.headers.get('makiatto-node'),
    came: rest.headers.get('content-range') === 'bytes ' + length + '-${LARGE_BYTES - 1}/${LARGE_BYTES}', hash: await digest(parts) }
}`

t.test('a download that was left is gone on with where it ended', async (t) => {
  const { page, complaints } = await browser.visit(`https://${HOST}/`)
  const node = first.name
  t.strictSame(await page.evaluate(`(${RESUME})(3e6)`), {
    broken: undefined,
    status: 206,
    from: node,
    to: node,
    came: true,
    hash: sha256(large),
  })
  // By itself, from what Chromium's cache has of it.
  const whole = await page.evaluate(`(async () => {
    const leaving = new AbortController()
    const { body } = await fetch('/large.bin', { signal: leaving.signal })
    await body.getReader().read()
    leaving.abort()
    const bytes = await (await fetch('/large.bin')).arrayBuffer()
    return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  })()`)
  t.equal(whole, sha256(large))
  t.strictSame(complaints, [])
})

/** The certificate that a new visitor is shown. */
async function shownBy(daemon: Daemon): Promise<string | undefined> {
  await using other = await Browser.launch({ [`${HOST}:443`]: https(daemon) }, { args: TRUST })
  const { page } = await other.visit('about:blank')
  const answer = await page.goto(`https://${HOST}/library.js`)
  return (await answer?.securityDetails())?.subjectName
}

t.test('a certificate is swapped while a page is open', async (t) => {
  const visit = await browser.visit(`https://${HOST}/`)
  await said(visit.page, 'main of a')
  await importCertificate('rsa')
  const newest = await importCertificate('ec')
  for (const daemon of cluster.daemons) {
    await eventually(`${daemon.name} shows the new one`, async () =>
      (await shownBy(daemon)) === newest ? true : undefined,
    )
  }
  await visit.page.getByRole('button').click()
  await said(visit.page, 'late of a')
  t.equal(await visit.page.evaluate(`fetch('/library.js', { cache: 'no-store' }).then((r) => r.status)`), 200)
  t.strictSame(await protocols(visit.page), ['h2'])
  t.strictSame(visit.complaints, [])
})

/** Goes to the site as a new visitor and on to its late chunk, both from the release that the page is of. */
async function look(t: Test, host: string): Promise<string> {
  const visit = await browser.visit(`https://${host}/`)
  const version = await visit.page.title()
  await said(visit.page, `main of ${version}`)
  await visit.page.getByRole('button').click()
  await said(visit.page, `late of ${version}`)
  const nodes = new Set(visit.answers.map(({ headers }) => headers['makiatto-node']))
  t.strictSame([...visit.complaints, ...visit.answers.filter(({ status }) => status !== 200)], [], `of ${version}`)
  t.equal(nodes.size, 2, 'page and chunks came from different nodes')
  await browser.close(visit)
  return version
}

t.test(`${RELEASES} releases go live while pages of one node load chunks from the other`, async (t) => {
  const seen = new Set<string>()
  // Of the first release, and finished when all others are live.
  const early = await browser.visit(`https://${HOST}/`)
  const worker = await browser.visit(`https://${HOST}/worker.html`)
  await worker.page.waitForFunction(`document.title === 'installed'`)
  t.equal(await worker.page.evaluate(`fetch('/version').then((r) => r.text())`), 'a')
  const preview = /[a-z0-9]+--preview\.shop\.test/.exec(await maki('release', 'show', HOST))?.[0]
  let isOver = false
  const publishing = (async () => {
    for (let i = 1; i <= RELEASES; i++) {
      writeRelease(`b${i}`)
      await maki('sync')
    }
  })().finally(() => {
    isOver = true
  })
  while (!isOver) for (const host of [HOST, STATIC]) seen.add(await look(t, host))
  await publishing
  await eventually('the last release', async () => ((await look(t, HOST)) === `b${RELEASES}` ? true : undefined))
  t.ok(seen.size > 1, `${[...seen].join()} were seen`)
  await early.page.getByRole('button').click()
  await said(early.page, 'late of a')
  t.strictSame(early.complaints, [])

  await worker.page.evaluate(`navigator.serviceWorker.getRegistration().then((registration) => registration.update())`)
  await worker.page.waitForFunction(`fetch('/version').then((r) => r.text()).then((text) => text === 'b${RELEASES}')`)
  t.strictSame(worker.complaints, [])

  const before = await browser.visit(`https://${preview}/`)
  await before.page.getByRole('button').click()
  await said(before.page, 'late of a')
  t.equal(await before.page.title(), 'a', 'the preview of the first release')
  t.match(before.answers[0]?.headers, { 'x-robots-tag': 'noindex', 'cache-control': 'no-cache' })
  t.strictSame(before.complaints, [])
})

t.test('a node dies while it sends: the visitor goes on at the other address', async (t) => {
  // A list of hosts that Chromium alone sees.
  const list = scene.path('hosts')
  writeFileSync(list, cluster.daemons.map((daemon) => `${addressOf(daemon)} ${HOST}\n`).join(''))
  const program = scene.path('chromium')
  writeFileSync(
    program,
    `#!/bin/sh\nexec unshare -m sh -c 'mount --bind ${list} /etc/hosts && exec ${CHROMIUM} "$@"' sh "$@"\n`,
  )
  chmodSync(program, 0o755)
  // Chromium's own resolver takes only one address of each name from the list; the system's takes all.
  const args = [...TRUST, '--disable-features=AsyncDns']
  await using other = await Browser.launch({}, { args, program, resolves: [HOST] })
  const url = `https://${HOST}:${port}/`
  const visit = await other.visit(url)
  const dying = cluster.daemons.find(({ name }) => name === nodeOf(visit, url)) as Daemon
  const surviving = cluster.daemons.find((daemon) => daemon !== dying) as Daemon
  await visit.page.exposeFunction('kill', () => dying.powerOff())
  t.strictSame(await visit.page.evaluate(`(${RESUME})(3e6, () => kill())`), {
    broken: 'broken',
    status: 206,
    from: dying.name,
    to: surviving.name,
    came: true,
    hash: sha256(large),
  })
  await visit.page.getByRole('button').click()
  await said(visit.page, `late of b${RELEASES}`)
  await visit.page.reload()
  await said(visit.page, `main of b${RELEASES}`)
  t.equal(nodeOf(visit, url), surviving.name)
})
