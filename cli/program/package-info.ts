import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface PackageInfo {
  /** The folder of `package.json`. */
  readonly root: string
  readonly name: string
  readonly version: string
  readonly description: string
}

/** The package that this file belongs to, whether it runs from its sources or from `dist`. */
export function readPackageInfo(): PackageInfo {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const info = findPackage(folder)
    if (info !== undefined) return info
    if (folder === dirname(folder)) throw new Error('there is no package.json above the program')
  }
}

function findPackage(root: string): PackageInfo | undefined {
  let text: string
  try {
    text = readFileSync(join(root, 'package.json'), 'utf8')
  } catch {
    return undefined
  }
  const { name, version, description } = JSON.parse(text) as Record<string, string | undefined>
  return name === 'makiatto' ? { root, name, version: version ?? '0.0.0', description: description ?? '' } : undefined
}
