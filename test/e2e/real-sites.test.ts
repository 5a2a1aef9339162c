import { appendFileSync, globSync, lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import t, { type Test } from 'tap'
import { createRandom, type Random, seeds } from '../support/seeds.ts'
import { Dev, type DevNode, parseJson } from './support/dev.ts'
import { encodePath, sha256, Visitor } from './support/http.ts'
import { type SitePackage, SWAGGER, THREE, unpackPackage } from './support/packages.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Sites that nobody made for a test: published packages, synced to three nodes and read back file by file. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
interface RealSite extends SitePackage {
  readonly domain: string
  /** At least so many files are published. */
  readonly files: number
}

const SITES: readonly RealSite[] = [
  { ...SWAGGER, domain: 'swagger.test', files: 20 },
  { ...THREE, domain: 'three.test', files: 1000 },
  {
    name: '@mdi/svg',
    version: '7.4.47',
    integrity: 'sha512-WQ2gDll12T9WD34fdRFgQVgO8bag3gavrAgJ0frN4phlwdJARpE6gO1YvLEMJR0KKgoc+/Ea/A0Pp11I00xBvw==',
    domain: 'icons.test',
    files: 7000,
  },
]
/** Of a site with more files so many are read back, chosen by the seed. */
const SAMPLE = 800
/** Larger files are all read back: they are few, and take other ways than small ones. */
const LARGE_BYTES = 256 * 1024
const CHANGED_FILES = 100

/** What browsers need to be told, or they show nothing. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
  '.map': 'application/json; charset=utf-8',
}

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const base = writeProject(scene.path('base'), { domain: 'base.test', files: { 'index.html': 'base' } })
const dev = await Dev.start(scene, base)
t.teardown(() => dev[Symbol.asyncDispose]())

/** One project for all three. */
function writeProjectFile(folders: ReadonlyMap<string, string>): void {
  const tables = SITES.map(({ name, domain }) => `[[domain]]\nname = "${domain}"\npath = "${folders.get(name)}"\n`)
  writeFileSync(scene.path('makiatto.toml'), `project = "real"\n${tables.join('\n')}`)
}

/** The files of a folder that are to be published, by path. */
function listFiles(folder: string): Map<string, number> {
  const paths = globSync('**/*', { cwd: folder }).filter(
    (path) => !path.split('/').some((part) => part.startsWith('.')),
  )
  const entries = paths.map((path) => [path, lstatSync(join(folder, path))] as const)
  return new Map(entries.filter(([, stats]) => stats.isFile()).map(([path, stats]) => [path, stats.size]))
}

function sample(files: ReadonlyMap<string, number>, random: Random): string[] {
  const large = [...files].filter(([, size]) => size > LARGE_BYTES).map(([path]) => path)
  const small = [...files].filter(([, size]) => size <= LARGE_BYTES).map(([path]) => path)
  return [...large, ...random.shuffle(small).slice(0, SAMPLE)]
}

/** Reads files back from a node and compares them by hash; what is not as it should be, in words. */
async function compareFiles(
  node: DevNode,
  site: RealSite,
  folder: string,
  paths: readonly string[],
): Promise<string[]> {
  using visitor = new Visitor()
  const faults: string[] = []
  await Promise.all(
    paths.map(async (path) => {
      const { status, headers, body } = await visitor.get(node.http, site.domain, encodePath(path))
      const hash = sha256(readFileSync(join(folder, path)))
      const type = TYPES[extname(path)]
      if (status !== 200) faults.push(`${path}: status ${status}`)
      else if (sha256(body) !== hash) faults.push(`${path}: other bytes`)
      else if (headers.etag !== `"${hash}"`) faults.push(`${path}: ETag ${headers.etag}`)
      else if (type !== undefined && headers['content-type'] !== type)
        faults.push(`${path}: ${headers['content-type']} instead of ${type}`)
    }),
  )
  return faults
}

const folders = new Map<string, string>()
t.test('packages are unpacked', async (t) => {
  for (const site of SITES) {
    const folder = await unpackPackage(scene, site)
    folders.set(site.name, folder)
    const count = listFiles(folder).size
    t.ok(count >= site.files, `${site.name}: ${count} files`)
  }
  writeProjectFile(folders)
})

interface SyncReport {
  readonly domains: readonly { readonly domain: string; readonly operation: string | null }[]
  readonly uploaded: { readonly blobs: number }
}

const sync = async (): Promise<SyncReport> => parseJson<SyncReport>(await dev.maki(['sync', '--wait', 'all', '--json']))

async function checkAll(t: Test, random: Random): Promise<void> {
  for (const site of SITES) {
    const folder = folders.get(site.name) ?? ''
    const files = listFiles(folder)
    for (const node of dev.nodes) {
      const paths = sample(files, random)
      const faults = await compareFiles(node, site, folder, paths)
      t.strictSame(faults.slice(0, 10), [], `${site.name} at ${node.name}: ${paths.length} of ${files.size} files`)
    }
  }
}

for (const seed of seeds(1)) {
  const random = createRandom(seed)
  t.test(`a first sync, and every node has what was published, seed ${seed}`, async (t) => {
    const report = await sync()
    t.equal(report.domains.filter(({ operation }) => operation !== null).length, SITES.length)
    await checkAll(t, random)
    const rows = parseJson<{ files: number }[]>(await dev.maki(['release', 'list', 'icons.test', '--json']))
    t.equal(rows[0]?.files, listFiles(folders.get('@mdi/svg') ?? '').size, 'the release counts all files')
  })

  t.test(`${CHANGED_FILES} changed files are all that is sent, seed ${seed}`, async (t) => {
    const folder = folders.get('@mdi/svg') ?? ''
    const changed = random.shuffle([...listFiles(folder).keys()].filter((path) => path.endsWith('.svg')))
    for (const path of changed.slice(0, CHANGED_FILES)) appendFileSync(join(folder, path), `<!-- ${random.next()} -->`)
    const report = await sync()
    t.equal(report.uploaded.blobs, CHANGED_FILES + 1, 'and the manifest')
    t.strictSame(
      report.domains.filter(({ operation }) => operation !== null).map(({ domain }) => domain),
      ['icons.test'],
    )
    const site = SITES.find(({ domain }) => domain === 'icons.test') as RealSite
    for (const node of dev.nodes) {
      const faults = await compareFiles(node, site, folder, changed.slice(0, 2 * CHANGED_FILES))
      t.strictSame(faults.slice(0, 10), [], `what changed and as much that did not, at ${node.name}`)
    }
  })
}

t.test('a sync without changes writes nothing', async (t) => {
  const report = await sync()
  t.strictSame(
    report.domains.map(({ operation }) => operation).filter((operation) => operation !== null),
    [],
  )
  t.equal(report.uploaded.blobs, 0)
})

t.test('the end', async (t) => {
  await dev.stop()
  t.strictSame(await scene.leftovers(), [], 'nothing is left behind')
})
