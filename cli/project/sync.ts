import {
  type Change,
  findRelease,
  type Hostname,
  type Key,
  keys,
  MakiError,
  Manifest,
  type OperationId,
  type Runtime,
} from '../../core/index.ts'
import type { ProjectConfig } from '../config/index.ts'
import { checkRules } from './check-rules.ts'
import { hashComponents, sealComponents } from './components.ts'
import { readGitFacts } from './git.ts'
import { listContestedKeys, planSync } from './plan.ts'
import { isWinner, listPublishedBefore } from './published-before.ts'
import { type ScanOptions, type SourceFile, scanSite } from './scan.ts'
import type { Published, SyncEvent, WaitFor } from './sync-events.ts'
import { isEmptyPlan, type PlanOptions, type SyncPlan } from './sync-plan.ts'
import type { SyncTarget } from './sync-target.ts'
import { type UploadOptions, type UploadProgress, type UploadSite, uploadSites } from './upload.ts'
import { waitForNodes } from './wait.ts'
import { type BuiltSite, isRelease } from './wanted.ts'

export interface SyncOptions extends PlanOptions {
  /** Writes nothing; plan and faults are the same. */
  readonly dryRun?: boolean | undefined
  readonly waitFor?: WaitFor | undefined
  readonly waitTimeoutMs?: number | undefined
  readonly allowEmpty?: boolean | undefined
  /** The operations' message. */
  readonly message?: string | undefined
}

export interface SyncInput {
  readonly project: ProjectConfig
  readonly target: SyncTarget
  readonly runtime: Runtime
  readonly options?: SyncOptions | undefined
  /** Where hashes of files are remembered from sync to sync. */
  readonly cacheFile?: string | undefined
  readonly report?: ((event: SyncEvent) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** For tests: see `ScanOptions` and `UploadOptions`. */
  readonly hooks?: Pick<ScanOptions, 'afterRead'> & Pick<UploadOptions, 'beforeRead'>
}

export interface SyncResult {
  readonly plan: SyncPlan
  /** One operation for each domain that was not as the file says, in the order in which they were made. */
  readonly published: readonly Published[]
  readonly uploaded: UploadProgress
}

/** How often a sync begins again because files changed under it. */
const ATTEMPTS = 3
const WAIT_TIMEOUT_MS = 120_000
const NOTHING: UploadProgress = { blobs: 0, blobsDone: 0, bytes: 0, bytesDone: 0 }

/**
 * Brings the cluster to what the project's file and folders say: scan, plan, missing blobs, then one operation a
 * domain, then the wait for the nodes. Throws before anything is published: MAKI_CONFIG for files that cannot be
 * published, MAKI_CONFLICT for faults of the plan (all of them) and for files that keep changing. After that:
 * MAKI_TIMEOUT or MAKI_UNREACHABLE of the wait. A sync that was cut off is done by running it again.
 */
export async function runSync(input: SyncInput): Promise<SyncResult> {
  const { target, options = {}, report, runtime, signal } = input
  const { sites, ...prepared } = await prepareBlobs(input)
  for (const { held, domain } of prepared.plan.domains)
    if (held !== undefined)
      report?.({ event: 'warned', message: `${held}. To publish to it again: maki release resume ${domain}` })
  if (options.dryRun === true) return { ...prepared, published: [] }
  const published: Published[] = []
  if (isEmptyPlan(prepared.plan) && [...sites].some(([domain, site]) => waits(input, domain, site)))
    await target.retry?.()
  for (const { domain, changes } of prepared.plan.domains) {
    if (changes.length === 0) continue
    signal?.throwIfAborted()
    const operation = await submit(input, changes, sites.get(domain))
    const done = { domain, operation, isRelease: changes.some(({ kind }) => kind === 'release.publish') }
    published.push(done)
    report?.({ event: 'published', ...done })
  }
  const releases = published.filter(({ isRelease }) => isRelease)
  const isNew = (domain: Hostname) => releases.some((one) => one.domain === domain)
  await waitForNodes(
    [...releases, ...listPublishedBefore(target, sites).filter(({ domain }) => !isNew(domain))],
    target,
    {
      waitFor: options.waitFor ?? 'up',
      timeoutMs: options.waitTimeoutMs ?? WAIT_TIMEOUT_MS,
      runtime,
      signal,
      onSwitched: (domain, node) => report?.({ event: 'switched', domain, node }),
    },
  )
  return { ...prepared, published }
}

/**
 * Submits what a domain becomes. Files can be taken away between the upload and the operation, by a purge of what else had
 * them: then they are sent again, once.
 */
async function submit(
  { target, project, options = {}, report, hooks }: SyncInput,
  changes: readonly Change[],
  site: Site | undefined,
): Promise<OperationId> {
  try {
    return await target.submit(changes, options.message ?? `sync ${project.project}`)
  } catch (thrown) {
    const isMissing = thrown instanceof MakiError && thrown.code === 'MAKI_BLOB_MISSING'
    if (!isMissing || site === undefined || target.retry === undefined) throw thrown
    report?.({ event: 'restarted', reason: thrown.message })
    await uploadSites([withoutServed(site, undefined)], target, hooks)
    const operation = await target.retry()
    if (operation === undefined) throw thrown
    return operation
  }
}

/** True where just this site was published before, and no node has taken it: it may have lost the files. */
function waits({ target }: SyncInput, domain: Hostname, site: Site): boolean {
  return target.waits?.(domain) === true && isWinner(target, domain, site)
}

/** True where just this site was published before, and the machine does not serve it: all that had the files may be gone. */
function isLacking({ target }: SyncInput, domain: Hostname, site: Site): boolean {
  return target.lacks?.(domain) === true && isWinner(target, domain, site)
}

interface Prepared {
  readonly plan: SyncPlan
  readonly uploaded: UploadProgress
  readonly sites: ReadonlyMap<Hostname, Site>
}

/** Plans, and uploads what the plan's releases need; begins again while files change in between. */
async function prepareBlobs(input: SyncInput): Promise<Prepared> {
  const { target, options = {}, report, hooks, signal } = input
  for (let attempt = 1; ; attempt++) {
    const sites = await addComponents(input, await buildSites(input, attempt > 1))
    const plan = await makePlan(input, sites)
    report?.({ event: 'planned', plan })
    refuseFaults(plan)
    const needed = plan.domains.flatMap(({ domain, changes }) => {
      const site = sites.get(domain)
      if (site === undefined) return []
      const isPublished = changes.some(({ kind }) => kind === 'release.publish')
      return isPublished || waits(input, domain, site) || isLacking(input, domain, site) ? [{ domain, site }] : []
    })
    signal?.throwIfAborted()
    if (options.dryRun === true || needed.length === 0) return { plan, uploaded: NOTHING, sites }
    const lacking: UploadSite[] = []
    for (const { domain, site } of needed) lacking.push(withoutServed(site, await target.readServed?.(domain)))
    try {
      const onProgress = (progress: UploadProgress) => report?.({ event: 'uploading', ...progress })
      return { plan, uploaded: await uploadSites(lacking, target, { ...hooks, onProgress }), sites }
    } catch (thrown) {
      const isChange = thrown instanceof MakiError && CHANGED.has(thrown.code)
      if (!isChange || attempt === ATTEMPTS) throw thrown
      report?.({ event: 'restarted', reason: thrown.message })
    }
  }
}

/** What says that a file was another one when it was sent. */
const CHANGED: ReadonlySet<string> = new Set(['MAKI_CONFLICT', 'MAKI_BLOB_MISMATCH'])

interface Site extends UploadSite {
  readonly content: Manifest
  readonly built: BuiltSite
  /** Files of components: sent, and not published as files. */
  readonly components: readonly SourceFile[]
}

/** What may have to be sent: a target is asked for 100 files that changed, not for the 10,000 that it serves. */
function withoutServed({ files, manifest, content, components }: Site, served: Manifest | undefined): UploadSite {
  if (served === undefined) return { files: [...files, ...components], manifest }
  const changed = new Set([...content.changedFrom(served)].map(({ path }) => path))
  return { files: [...files.filter(({ path }) => changed.has(path)), ...components], manifest }
}

/** Hashes the components of each domain and seals their environment. */
async function addComponents(input: SyncInput, sites: ReadonlyMap<Hostname, Site>): Promise<Map<Hostname, Site>> {
  const { project, target, report } = input
  const done = new Map(sites)
  for (const domain of project.domains) {
    const site = sites.get(domain.name)
    const count = domain.components.functions.length + domain.components.transforms.length
    if (site === undefined || count === 0) continue
    const components = await hashComponents(domain)
    const last = await target.lastWritten(keys.release(domain.name), project.project)
    const sealed = await sealComponents({
      domain,
      files: components,
      tree: site.built.tree,
      present: findRelease(target.state, domain.name),
      last: isRelease(last) ? last : undefined,
      secrets: target.secrets,
    })
    if (sealed.warning !== undefined) report?.({ event: 'warned', message: sealed.warning })
    done.set(domain.name, { ...site, components, built: { ...site.built, ...sealed.components } })
  }
  return done
}

async function buildSites(input: SyncInput, distrustCache: boolean): Promise<Map<Hostname, Site>> {
  const { project, options = {}, report, runtime, cacheFile, hooks, signal } = input
  const sites = new Map<Hostname, Site>()
  const byFolder = new Map<string, Site>()
  for (const domain of project.domains) {
    const { name, folder, components } = domain
    if (folder === undefined) continue
    signal?.throwIfAborted()
    const add = async (site: Site): Promise<void> => {
      // For each domain, also of a folder that several have: rules may name hosts.
      const warnings = await checkRules(domain, site.files, project.folder)
      for (const message of warnings) report?.({ event: 'warned', message })
      sites.set(name, site)
    }
    const excluded = [...components.functions, ...components.transforms].map(({ source }) => source)
    const scan = JSON.stringify([folder, ...excluded.sort()])
    const known = byFolder.get(scan)
    if (known !== undefined) {
      await add(known)
      continue
    }
    const scanned = await scanSite(name, folder, {
      runtime,
      cacheFile,
      distrustCache,
      excluded: [project.file, ...excluded],
      allowEmpty: options.allowEmpty,
      afterRead: hooks?.afterRead,
      onProgress: (progress) => report?.({ event: 'hashing', domain: name, ...progress }),
    })
    for (const message of scanned.warnings) report?.({ event: 'warned', message })
    const site = encodeSite(scanned.files)
    byFolder.set(scan, site)
    await add(site)
  }
  return sites
}

function encodeSite(files: readonly SourceFile[]): Site {
  const content = Manifest.of(files)
  const manifest = content.encode()
  const built: BuiltSite = {
    manifest: manifest.hash,
    tree: manifest.tree,
    files: content.fileCount,
    bytes: content.totalBytes,
  }
  return { files, manifest, content, built, components: [] }
}

async function makePlan(input: SyncInput, sites: ReadonlyMap<Hostname, Site>): Promise<SyncPlan> {
  const { project, target, options = {} } = input
  const built = new Map([...sites].map(([domain, site]) => [domain, site.built]))
  const state = target.state
  const last = new Map<Key, unknown>()
  for (const key of listContestedKeys({ project, sites: built, state })) {
    const value = await target.lastWritten(key, project.project)
    if (value !== undefined) last.set(key, value)
  }
  const git = await readGitFacts(project.folder, [...sites.keys()], state)
  const holds = new Map<Hostname, string>()
  const merges = new Map<Hostname, string>()
  for (const { name } of project.domains) {
    const held = await target.describeHold?.(name)
    if (held !== undefined) holds.set(name, held)
    const merged = await target.describeMerge?.(name)
    if (merged !== undefined) merges.set(name, merged)
  }
  return planSync({ project, sites: built, state, options, last, git, holds, merges })
}

function refuseFaults({ faults }: SyncPlan): void {
  const [first] = faults
  if (first === undefined) return
  const message =
    faults.length === 1
      ? first.message
      : `the sync is not possible:${faults.map((fault) => `\n  ${fault.message}`).join('')}`
  const hints = [...new Set(faults.map(({ hint }) => hint))]
  throw new MakiError('MAKI_CONFLICT', message, { hint: hints.join('\n') })
}
