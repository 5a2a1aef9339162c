import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { type LockFile, listBundledPackages } from '../../../cli/bundle/lock-file.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const ROOT = join(import.meta.dirname, '../../..')
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as LockFile
const arches = ['x64', 'arm64'] as const

for (const arch of arches) {
  t.test(
    `for ${arch}: each with its integrity, natives for it alone, nothing of the laptop's or of tests`,
    async (t) => {
      const packages = listBundledPackages(lock, arch)
      for (const { path, integrity, version } of packages) {
        t.match(integrity, /^sha512-/, path)
        t.equal(lock.packages[path]?.version, version)
      }
      const paths = packages.map(({ path }) => path.replace(/^.*node_modules\//, ''))
      const natives = [`node-linux-${arch}`, `@img/sharp-linux-${arch}`, `@img/sharp-libvips-linux-${arch}`]
      for (const wanted of [...natives, 'sharp', 'classic-level', 'yjs', '@bytecodealliance/jco-transpile'])
        t.ok(paths.includes(wanted), wanted)
      const other = arch === 'x64' ? 'arm64' : 'x64'
      for (const path of paths) t.notMatch(path, new RegExp(`(-${other}|-darwin|-win32|musl|-arm)(-|$)`))
      for (const path of paths)
        t.notMatch(path, /^(@oclif|ssh2|chokidar|binaryen|oxc-minify|tap|typescript|fflate|node-gyp)(\/|$)/)
    },
  )
}

t.test('both processors get the same but for natives', async (t) => {
  const [x64 = [], arm64 = []] = arches.map((arch) =>
    listBundledPackages(lock, arch).map(({ path }) => path.replaceAll(`linux-${arch}`, 'linux-*')),
  )
  t.strictSame(x64, arm64)
})

// The packages of a made-up project, each wanting others, some of which lie in their user's own folder.
for (const seed of seeds(50)) {
  t.test(`whatever lies where, a package is found as Node finds it (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const names = ['a', 'b', '@s/c', 'd', '@s/e']
    const packages: Record<string, { version: string; integrity: string; dependencies: Record<string, string> }> = {}
    const put = (folder: string, depth: number): void => {
      for (const name of names) {
        if (depth > 0 && !random.chance(0.3)) continue
        const path = `${folder}node_modules/${name}`
        const wanted = names.filter(() => random.chance(0.4))
        packages[path] = {
          version: String(random.integer(9)),
          integrity: path,
          dependencies: Object.fromEntries(wanted.map((one) => [one, '*'])),
        }
        if (depth < 2) put(`${path}/`, depth + 1)
      }
    }
    put('', 0)
    const wanted = names.filter(() => random.chance(0.5))
    const root = { version: '1', integrity: '', dependencies: Object.fromEntries(wanted.map((one) => [one, '*'])) }
    const found = listBundledPackages({ packages: { '': root, ...packages } }, 'x64').map(({ path }) => path)
    t.strictSame(found, closeOver(packages, root.dependencies))
  })
}

/** By definition: from each user, the folders in which `require` would look, in its own order. */
function closeOver(
  packages: Readonly<Record<string, { readonly dependencies: object }>>,
  dependencies: object,
): readonly string[] {
  const found = new Set<string>()
  const queue = Object.keys(dependencies).map((name) => ({ from: '', name }))
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { from, name } = next
    const folders = createRequire(`/p/${from}/x.js`).resolve.paths(name) ?? []
    const path = folders
      .map((folder) => `${folder.slice('/p/'.length)}/${name}`)
      .find((one) => packages[one] !== undefined)
    if (path === undefined || found.has(path)) continue
    found.add(path)
    for (const each of Object.keys(packages[path]?.dependencies ?? {})) queue.push({ from: path, name: each })
  }
  return [...found].sort()
}
