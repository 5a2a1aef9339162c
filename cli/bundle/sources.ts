import { createHash } from 'node:crypto'
import { existsSync, globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { readPackageInfo } from '../program/package-info.ts'
import type { BundleArch } from './bundle.ts'

/** What bundles are made from: a checkout, or an installed package. */
export interface Sources {
  /** The folder of `package.json`. */
  readonly root: string
  readonly version: string
  readonly lockFile: string
  /** The compiled program; absent in a checkout. */
  readonly compiled: string | undefined
  /** Where the Debian packages lie. */
  readonly packages: string
  /** Of an installed package: the SHA-256 of its bundles, when it was published with them. */
  readonly known: { readonly [Arch in BundleArch]?: string | undefined } | undefined
  /** Equal for equal inputs. */
  readonly key: string
}

const FOLDERS = ['core', 'migrations', 'replication', 'dns', 'edge', 'cli']
/** What is known of the bundles is nothing that they are made from. */
const KNOWN = 'bundles.json'
const knownFile = v.object({ x64: v.optional(v.string()), arm64: v.optional(v.string()) })

/** Beside the folders: what the program is compiled and packed with. */
const FILES = ['package.json', 'LICENSE', 'tsconfig.json', 'tsconfig.build.json']

/** Of the program that runs. */
export async function findSources(): Promise<Sources> {
  const { root, version } = readPackageInfo()
  const isCheckout = existsSync(join(root, 'cli', 'makiatto.ts'))
  const dist = join(root, 'dist')
  const lockFile = isCheckout ? join(root, 'package-lock.json') : join(dist, 'package-lock.json')
  const files = isCheckout
    ? globSync(
        FOLDERS.map((folder) => `${folder}/**/*`),
        { cwd: root, withFileTypes: true },
      )
    : globSync('**/*', { cwd: dist, withFileTypes: true })
  const paths = files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== join(dist, KNOWN))
  const hash = createHash('sha256').update(`${FORMAT}\n${version}\n`)
  const single = FILES.map((name) => join(root, name)).filter((path) => existsSync(path))
  for (const path of [...paths.sort(), ...single, lockFile]) {
    hash.update(`${path.slice(root.length)}\0`).update(
      createHash('sha256')
        .update(await readFile(path))
        .digest(),
    )
  }
  const base = isCheckout ? root : dist
  return {
    root,
    version,
    lockFile,
    compiled: isCheckout ? undefined : dist,
    packages: join(base, 'cli', 'bundle', 'packages'),
    known: isCheckout ? undefined : await readKnown(join(dist, KNOWN)),
    key: hash.digest('hex'),
  }
}

/** Raised when bundles are made otherwise of the same inputs. */
const FORMAT = 2

async function readKnown(path: string): Promise<Sources['known']> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : v.parse(knownFile, JSON.parse(text))
}
