import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BundleArch } from './bundle.ts'
import { CARRIED, type CarriedFile } from './carried.ts'
import type { BundledPackage } from './lock-file.ts'
import { readCarried } from './read-carried.ts'
import type { Sources } from './sources.ts'
import { listFiles } from './stage.ts'

const LICENCE = /^([a-z]+-)?(licen[cs]e|copying|notice|copyright|third-party-notices)([.-].*)?$/i
/** Where a package has no file of that kind, this one says whose it is, and on what terms. */
const README = /^readme(\.md|\.txt)?$/i

/** Whose all is that a bundle holds, and on what terms: the words of each package's own files. */
export async function collectNotices(
  sources: Pick<Sources, 'packages'>,
  arch: BundleArch,
  staging: string,
  packages: readonly BundledPackage[],
): Promise<Uint8Array> {
  const parts: string[] = []
  for (const { path, version, license } of packages) {
    const files = listFiles(join(staging, path)).filter((file) => !file.startsWith('node_modules/'))
    const licences = files.filter((file) => LICENCE.test(file))
    const named = licences.length > 0 ? licences : files.filter((file) => README.test(file))
    const texts = await Promise.all(named.sort().map((file) => readFile(join(staging, path, file), 'utf8')))
    parts.push(`${path.replace(/^.*node_modules\//, '')} ${version}: ${license}\n\n${texts.join('\n')}`)
  }
  for (const carried of CARRIED[arch])
    parts.push(`${carried.to}, of Debian's ${carried.package}\n\n${await readCopyright(sources, carried)}`)
  return Buffer.from(parts.join(`\n${'-'.repeat(80)}\n`))
}

/** What Debian says: in the package itself, or beside it where the package only leads to another one. */
async function readCopyright(sources: Pick<Sources, 'packages'>, carried: CarriedFile): Promise<string> {
  const { copyright } = carried
  if (copyright.beside === undefined)
    return Buffer.from(await readCarried(sources, carried, copyright.inPackage)).toString()
  const texts = await Promise.all(copyright.beside.map((file) => readFile(join(sources.packages, file), 'utf8')))
  return texts.join('\n')
}
