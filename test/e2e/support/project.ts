import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What `makiatto.toml` says and what lies in `public/`. */
export interface ProjectParts {
  readonly domain: string
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Lines below `[[domain]]`. */
  readonly more?: string
}

/** Writes a project with one domain; its folder, which is what `maki dev` takes. */
export function writeProject(folder: string, { domain, files = {}, more = '' }: ProjectParts): string {
  mkdirSync(join(folder, 'public'), { recursive: true })
  writeFileSync(join(folder, 'makiatto.toml'), `[[domain]]\nname = "${domain}"\npath = "public"\n${more}\n`)
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'public', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  return folder
}
