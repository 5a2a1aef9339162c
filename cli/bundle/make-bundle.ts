import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Gzip } from 'fflate'
import { MakiError } from '../../core/index.ts'
import { type TarFile, writeTar } from '../archive/index.ts'
import type { Bundle, BundleArch } from './bundle.ts'
import { CARRIED } from './carried.ts'
import { archOf, isElf, setRunPath, trimElf } from './elf.ts'
import { type BundledPackage, type LockFile, listBundledPackages, nodePackage } from './lock-file.ts'
import { collectNotices } from './notices.ts'
import { readCarried } from './read-carried.ts'
import type { Sources } from './sources.ts'
import { listFiles, stagePackages, stageProgram } from './stage.ts'

/** Stands beside the program in every bundle. */
export const MANIFEST = 'bundle.json'
/** By pure JavaScript: Node's own zlib gives other bytes on other processors. 6 makes it 0.8 % smaller, and takes 2 s longer. */
const LEVEL = 4
/** Nobody who runs it needs these. */
const LEFT_OUT = /\.(d\.[cm]?ts|ts|map|md|markdown|cc|gyp|gypi|c|h|flow)$|\/(test|tests|examples|coverage|\.github)\//
/** Functions of ICU, which no module of ours asks Node for. */
const SPARE_SYMBOL = /^u(cnv|cal|num|dat|col|regex|set|tmscale|loc)_[A-Za-z]{8,}/

const SCRIPT = `#!/bin/sh
# The daemon's program: brings its own Node, which finds its libraries by itself.
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=\${self%/*}/$link ;;
  esac
done
bin=$(CDPATH='' cd -P -- "\${self%/*}" && pwd) || exit 1
# As NODE_ALLOCATOR and NODE_FLAGS in cli/node/node-flags.ts, where it says why.
export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
exec "$bin/node" --disable-warning=ExperimentalWarning --max-semi-space-size=2 "\${bin%/bin}/dist/cli/makiatto.js" "$@"
`

export interface MakeBundleOptions {
  /** Where the bundle is to lie. */
  readonly folder: string
  /** Where packages are unpacked meanwhile, 400 MB of them; the system's folder for that where nothing is said. */
  readonly scratch?: string
  readonly signal: AbortSignal
  /** What is done at the moment, in a word or two. */
  readonly onProgress?: (text: string) => void
}

/**
 * Makes `makiatto-<version>-linux-<arch>.tar.gz` in a folder: the same bytes wherever and whenever it is made from the same
 * sources. Throws MAKI_UNREACHABLE where packages cannot be fetched.
 */
export async function makeBundle(sources: Sources, arch: BundleArch, options: MakeBundleOptions): Promise<Bundle> {
  const { folder, scratch = tmpdir(), signal, onProgress } = options
  const staging = await mkdtemp(join(scratch, 'makiatto-bundle-'))
  try {
    onProgress?.('fetching packages')
    await stagePackages(sources, arch, staging, signal)
    onProgress?.('compiling')
    await stageProgram(sources, staging, signal)
    onProgress?.('packing')
    const files = await collectFiles(sources, arch, staging)
    signal.throwIfAborted()
    await mkdir(folder, { recursive: true })
    return await pack(files, { sources, arch, folder, signal })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function collectFiles(sources: Sources, arch: BundleArch, staging: string): Promise<TarFile[]> {
  const lock = JSON.parse(await readFile(sources.lockFile, 'utf8')) as LockFile
  const packages = listBundledPackages(lock, arch)
  const node = nodePackage(arch)
  if (!packages.some(({ path }) => path === node)) throw new Error(`the lock file has no ${node}`)
  const files: TarFile[] = [{ path: 'bin/makiatto', content: Buffer.from(SCRIPT), isProgram: true }]
  const add = (path: string, content: Uint8Array, isProgram = false): void => {
    if (isElf(content) && archOf(content) !== arch)
      throw new MakiError('MAKI_INTERNAL', `${path} is for another processor than ${arch}`)
    files.push({ path, content, isProgram })
  }
  const program = await readFile(join(staging, node, 'bin', 'node'))
  add('bin/node', trimElf(setRunPath(program, '$ORIGIN/../lib', SPARE_SYMBOL)), true)
  for (const carried of CARRIED[arch])
    add(carried.to, await readCarried(sources, carried, carried.from), carried.isProgram)
  for (const { path } of packages) {
    if (path === node) continue
    for (const file of listPackageFiles(staging, path, arch)) add(file, await readFile(join(staging, file)))
  }
  for (const file of listFiles(join(staging, 'dist'))) {
    const path = `dist/${file}`
    // What bundles are made of, and not what they hold.
    if (!path.startsWith('dist/cli/bundle/packages/') && !/^dist\/(package-lock|bundles)\.json$/.test(path))
      add(path, await readFile(join(staging, path)))
  }
  const { name, version, description, license, type } = JSON.parse(
    await readFile(join(sources.root, 'package.json'), 'utf8'),
  )
  const info = { name, version, description, license, type }
  add('package.json', Buffer.from(`${JSON.stringify(info, undefined, 2)}\n`))
  add('LICENSE', await readFile(join(sources.root, 'LICENSE')))
  add('NOTICES', await collectNotices(sources, arch, staging, packages))
  add(MANIFEST, Buffer.from(describe(sources, arch, packages)))
  return files
}

/** The files of a package itself, without those of packages inside it, and those for other platforms. */
function listPackageFiles(staging: string, path: string, arch: BundleArch): string[] {
  return listFiles(join(staging, path))
    .filter((file) => !file.startsWith('node_modules/') && !LEFT_OUT.test(`/${file}`))
    .filter((file) => !file.startsWith('deps/') || path !== 'node_modules/classic-level')
    .filter((file) => !/(^|\/)prebuilds\//.test(file) || file.includes(`prebuilds/linux-${arch}/`))
    .filter((file) => !/\.musl\.node$/.test(file))
    .map((file) => `${path}/${file}`)
}

function describe({ version }: Sources, arch: BundleArch, packages: readonly BundledPackage[]): string {
  const npm = packages.map((one) => ({
    package: one.path.replace(/^node_modules\//, ''),
    version: one.version,
    integrity: one.integrity,
  }))
  const debian = CARRIED[arch].map((one) => ({ package: one.package, sha256: one.sha256, file: one.to }))
  return `${JSON.stringify({ version, platform: 'linux', arch, npm, debian }, undefined, 1)}\n`
}

async function pack(
  files: readonly TarFile[],
  { sources, arch, folder, signal }: { sources: Sources; arch: BundleArch; folder: string; signal: AbortSignal },
): Promise<Bundle> {
  const file = join(folder, `makiatto-${sources.version}-linux-${arch}.tar.gz`)
  const draft = `${file}.${process.pid}`
  const hash = createHash('sha256')
  let sizeBytes = 0
  const out = await open(draft, 'w')
  try {
    const ready: Uint8Array[] = []
    const gzip = new Gzip({ level: LEVEL, mtime: 0 }, (chunk) => ready.push(chunk))
    const drain = async (): Promise<void> => {
      for (const chunk of ready.splice(0)) {
        hash.update(chunk)
        sizeBytes += chunk.length
        await out.writeFile(chunk)
      }
    }
    for (const block of writeTar(files)) {
      // So that a signal is heard meanwhile.
      for (let at = 0; at < block.length; at += CHUNK_BYTES) {
        gzip.push(block.subarray(at, at + CHUNK_BYTES))
        await drain()
        signal.throwIfAborted()
      }
    }
    gzip.push(new Uint8Array(0), true)
    await drain()
    await out.sync()
    await out.close()
    await mkdir(dirname(file), { recursive: true })
    await rename(draft, file)
  } catch (thrown) {
    await out.close().catch(() => {})
    await rm(draft, { force: true })
    throw thrown
  }
  return { file, arch, version: sources.version, sha256: hash.digest('hex'), sizeBytes }
}

const CHUNK_BYTES = 4 * 1024 * 1024
