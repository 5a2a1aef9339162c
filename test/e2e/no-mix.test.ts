import { rmSync } from 'node:fs'
import t from 'tap'
import { createRandom, seeds } from '../support/seeds.ts'
import { Dev, parseJson } from './support/dev.ts'
import { encodePath, sha256, Visitor } from './support/http.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/**
 * Promise 4 of DESIGN.md, section 12, as a visitor meets it while releases alternate. For each connection:
 *
 * 1. Every response is of one release: the bytes hash to the ETag, and are those that the release named in
 *    `makiatto-release` has at that path, also when it was large and the site switched while it was sent.
 * 2. A path that the named release does not have is not found, whatever other releases have.
 * 3. The release never goes back to one that was published before the one that was seen.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'news.test'
const RELEASES = 10
const VISITORS = 3
/** Some of it is still on its way when the site switches. */
const LARGE_BYTES = 3_000_000
const EDITIONS = ['morning', 'evening'] as const
type Edition = (typeof EDITIONS)[number]

const COMMON = ['index.html', 'news/front page.html', 'css/site.css', 'photo.jpg'] as const
/** A file that only this edition has. */
const ownPath = (edition: Edition): string => `only-${edition}.html`

function contentOf(edition: Edition, path: string): string {
  const line = `${edition} edition, ${path}\n`
  return path === 'photo.jpg' ? line.repeat(LARGE_BYTES / line.length) : line
}

const hashes = new Map(
  EDITIONS.flatMap((edition) =>
    [...COMMON, ownPath(edition)].map((path) => [`${edition} ${path}`, sha256(contentOf(edition, path))]),
  ),
)

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const news = scene.path('news')
const base = writeProject(scene.path('base'), { domain: 'base.test', files: { 'index.html': 'base' } })
const dev = await Dev.start(scene, base)
t.teardown(() => dev[Symbol.asyncDispose]())
/** The editions in the order of their releases, and which release is which. */
const published: { readonly release: string; readonly edition: Edition }[] = []

async function publish(edition: Edition): Promise<void> {
  rmSync(news, { recursive: true, force: true })
  const files = Object.fromEntries([...COMMON, ownPath(edition)].map((path) => [path, contentOf(edition, path)]))
  writeProject(news, { domain: HOST, files })
  const synced = parseJson<{ domains: { operation: string }[] }>(await dev.maki(['sync', '--json'], { cwd: news }))
  published.push({ release: synced.domains[0]?.operation ?? '', edition })
}

/** What was seen on one connection to one node. */
interface Sighting {
  readonly path: string
  readonly status: number
  readonly release: string
  readonly etag: string
  readonly hash: string
}

async function visit(origin: string, seed: number, signal: AbortSignal): Promise<readonly Sighting[]> {
  const random = createRandom(seed)
  using visitor = new Visitor({ connections: 1 })
  const seen: Sighting[] = []
  while (!signal.aborted) {
    // A page, then what it is made of, as a browser asks.
    const paths = [...COMMON, ...EDITIONS.map(ownPath)]
    for (const path of [paths[0] as string, ...random.shuffle(paths)]) {
      const { status, headers, body } = await visitor.get(origin, HOST, encodePath(path))
      const release = String(headers['makiatto-release'])
      seen.push({ path, status, release, etag: String(headers.etag), hash: sha256(body) })
    }
  }
  return seen
}

/** What is wrong with what one visitor saw, in words. */
function listViolations(seen: readonly Sighting[]): string[] {
  const violations: string[] = []
  let newest = 0
  for (const { path, status, release, etag, hash } of seen) {
    const index = published.findIndex((entry) => entry.release.startsWith(release))
    const edition = published[index]?.edition
    if (edition === undefined) {
      violations.push(`${path}: release ${release} was never published`)
      continue
    }
    if (index < newest) violations.push(`${path}: release ${index} after release ${newest}`)
    newest = Math.max(newest, index)
    const wanted = hashes.get(`${edition} ${path}`)
    if (wanted === undefined && status !== 404)
      violations.push(`${path}: ${status} in an edition that has no such file`)
    if (wanted === undefined) continue
    if (status !== 200) violations.push(`${path}: status ${status}`)
    if (hash !== wanted) violations.push(`${path}: not the bytes of the ${edition} edition`)
    if (etag !== `"${hash}"`) violations.push(`${path}: the ETag is not that of the bytes`)
  }
  return violations
}

for (const seed of seeds(1)) {
  t.test(`visitors while releases alternate, seed ${seed}`, async (t) => {
    await publish('morning')
    const stop = new AbortController()
    const visits = Array.from({ length: VISITORS }, (_, i) => {
      const { http } = dev.nodes[i % dev.nodes.length] as (typeof dev.nodes)[number]
      return visit(http, seed * 100 + i, stop.signal)
    })
    for (let i = 1; i < RELEASES; i++) await publish(EDITIONS[i % 2] as Edition)
    stop.abort()
    for (const [i, seen] of (await Promise.all(visits)).entries()) {
      t.strictSame(listViolations(seen).slice(0, 10), [], `visitor ${i + 1}: ${seen.length} responses`)
      const releases = new Set(seen.map(({ release }) => release))
      t.ok(releases.size > RELEASES / 2, `${releases.size} releases were met`)
    }
  })
}

t.test('a rollback is a release like any other', async (t) => {
  const [last] = published.slice(-1)
  const other = EDITIONS.find((edition) => edition !== last?.edition) as Edition
  const back = parseJson<{ release: string }>(await dev.maki(['rollback', HOST, '--json']))
  using visitor = new Visitor()
  for (const { name, http } of dev.nodes) {
    const answer = await visitor.get(http, HOST, '/photo.jpg')
    const release = String(answer.headers['makiatto-release'])
    const edition = back.release.startsWith(release) ? other : (last?.edition as Edition)
    t.equal(sha256(answer.body), hashes.get(`${edition} photo.jpg`), `${name} serves the ${edition} edition whole`)
  }
})

t.test('the end', async (t) => {
  await dev.stop()
  t.strictSame(await scene.leftovers(), [], 'nothing is left behind')
})
