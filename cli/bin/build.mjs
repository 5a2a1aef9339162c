// Makes dist/: JavaScript from the TypeScript, because Node refuses to strip types under node_modules, and beside it
// every other file that the product reads at run time. `build.mjs FOLDER` makes it elsewhere.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDERS = ['core', 'migrations', 'replication', 'dns', 'edge', 'cli']
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const dist = process.argv[2] === undefined ? join(root, 'dist') : resolve(process.argv[2])

rmSync(dist, { recursive: true, force: true })
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const compiled = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', dist], {
  cwd: root,
  stdio: 'inherit',
})
if (compiled.status !== 0) process.exit(compiled.status ?? 1)

for (const folder of FOLDERS.filter((name) => existsSync(join(root, name)))) {
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    const path = relative(root, join(entry.parentPath, entry.name))
    if (!entry.isFile() || path.endsWith('.ts') || path.startsWith(join('cli', 'bin'))) continue
    mkdirSync(dirname(join(dist, path)), { recursive: true })
    copyFileSync(join(root, path), join(dist, path))
  }
}
// What bundles are made from in an installed package, which may not have it by this name elsewhere.
copyFileSync(join(root, 'package-lock.json'), join(dist, 'package-lock.json'))
