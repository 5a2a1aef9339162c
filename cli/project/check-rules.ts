import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { hashBlob, MakiError, Manifest, RULE_FILES, type RuleFileName } from '../../core/index.ts'
import type { RuleFinding } from '../../edge/index.ts'
import type { DomainConfig } from '../config/index.ts'
import type { SourceFile } from './scan.ts'

const SHOWN_FAULTS = 20

/**
 * Reads the rules of a site as nodes will, and gives warnings about those that never count or lead to nothing. Throws MAKI_CONFIG with
 * every line that is no rule, and MAKI_CONFLICT for a file that is not the one that was scanned. `folder` is what paths are shown
 * relative to.
 */
export async function checkRules(
  domain: Pick<DomainConfig, 'name' | 'aliases'>,
  site: readonly SourceFile[],
  folder: string,
): Promise<readonly string[]> {
  const found = site.filter(({ path }) => RULE_FILES.some((name) => name === path))
  if (found.length === 0) return []
  // Loaded here: most sites have no rules, and this is all that serves them.
  const { MAX_RULE_FILE_BYTES, resolvePath, reviewRules, SiteRules } = await import('../../edge/index.ts')
  const sources = new Map<RuleFileName, string>()
  const files: Partial<Record<RuleFileName, Uint8Array>> = {}
  for (const name of RULE_FILES) {
    const file = found.find(({ path }) => path === name)
    if (file === undefined) continue
    sources.set(name, relative(folder, file.source) || name)
    files[name] = await readSource(file, MAX_RULE_FILE_BYTES)
  }
  const { rules, faults } = SiteRules.parse(files)
  const manifest = Manifest.of(site)
  const review = reviewRules(rules, {
    hosts: [domain.name, ...domain.aliases],
    exists: (path) => resolvePath(manifest, path, { spa: false }).kind !== 'not-found',
  })
  const show = ({ file, line, rule, message, hint }: RuleFinding): string =>
    `${sources.get(file) ?? file}:${line}:${rule === '' ? '' : ` ${rule}:`} ${message}. ${hint}`
  refuseFaults(domain.name, [...faults, ...review.faults].map(show))
  return review.warnings.map(show)
}

/** No more than what is judged: the rest of a file that is too large is of no interest. */
async function readSource({ source, hash, sizeBytes }: SourceFile, maxBytes: number): Promise<Uint8Array> {
  if (sizeBytes > 4 * maxBytes) return new Uint8Array(maxBytes + 1)
  const bytes = await readFile(source)
  if (hashBlob(bytes) === hash) return bytes
  throw new MakiError('MAKI_CONFLICT', `${source} changes while it is read`, {
    hint: 'Wait until the build is done, then run the command again.',
  })
}

function refuseFaults(name: string, faults: readonly string[]): void {
  if (faults.length === 0) return
  const shown = faults.slice(0, SHOWN_FAULTS).map((fault) => `\n  ${fault}`)
  const more = faults.length > SHOWN_FAULTS ? `\n  and ${faults.length - SHOWN_FAULTS} more` : ''
  throw new MakiError('MAKI_CONFIG', `the rules of ${name} cannot be published:${shown.join('')}${more}`, {
    hint: 'Correct or remove these lines.',
  })
}
