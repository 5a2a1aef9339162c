import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findRelease, type Hostname, type State } from '../../core/index.ts'
import type { GitFacts } from './sync-plan.ts'

const run = promisify(execFile)
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/

/** True where git would find a checkout: starting it only to hear that there is none takes longer than a small sync. */
function isInCheckout(folder: string): boolean {
  if (process.env.GIT_DIR !== undefined) return true
  for (let above = resolve(folder); ; above = dirname(above)) {
    if (existsSync(join(above, '.git'))) return true
    if (above === dirname(above)) return false
  }
}

/** The commit that is checked out in the folder; undefined where there is no git, no checkout or no commit. */
export async function findCommit(folder: string): Promise<string | undefined> {
  if (!isInCheckout(folder)) return undefined
  try {
    const { stdout } = await run('git', ['-C', folder, 'rev-parse', '--verify', '--quiet', 'HEAD'])
    const commit = stdout.trim()
    return COMMIT.test(commit) ? commit : undefined
  } catch {
    return undefined
  }
}

/** True when `served` comes after `commit` in this checkout; false where that cannot be told, as without its history. */
export async function isBehind(folder: string, commit: string, served: string): Promise<boolean> {
  // What stands in a release was written by somebody else: it must not become an option of git.
  if (commit === served || !COMMIT.test(served)) return false
  try {
    await run('git', ['-C', folder, 'merge-base', '--is-ancestor', commit, served])
    return true
  } catch {
    return false
  }
}

/** What the plan has to know of the checkout that the project lies in. */
export async function readGitFacts(
  folder: string,
  domains: readonly Hostname[],
  state: State,
): Promise<GitFacts | undefined> {
  const commit = await findCommit(folder)
  if (commit === undefined) return undefined
  const behind = new Set<Hostname>()
  for (const domain of domains) {
    const served = findRelease(state, domain)?.commit
    if (served !== undefined && (await isBehind(folder, commit, served))) behind.add(domain)
  }
  return { commit, behind }
}
