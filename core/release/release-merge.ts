import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type BlobHash, ID_BYTES, idBytes, type OperationId, operationIdFrom } from '../ids.ts'
import type { Hostname } from '../names.ts'
import type { FunctionValue, Release, ReleaseValue, TransformValue } from '../state/index.ts'
import { Manifest, type ManifestFile } from './manifest.ts'

/**
 * The releases that a domain with `on_concurrent = "merge"` has side by side, and what they have in common. Everybody
 * who knows the same operations has the same plan.
 */
export interface MergePlan {
  readonly domain: Hostname
  /** Undefined where they have nothing in common: then every file is new on its side. */
  readonly base: Release | undefined
  /** Two or more, greatest first; none is a rollback. */
  readonly sides: readonly Release[]
}

/** A release that nobody published: what the releases side by side become together. */
export interface MergedRelease extends Release {
  readonly merge: {
    readonly base: OperationId | null
    /** Greatest first. */
    readonly sides: readonly OperationId[]
  }
}

/** What a merge makes of its sides. */
export interface Merge {
  readonly manifest: Manifest
  readonly aliases: readonly Hostname[]
  readonly functions: readonly FunctionValue[]
  readonly transforms: readonly TransformValue[]
  /** Paths of files that two sides changed differently, sorted: there the greatest side stands. */
  readonly contested: readonly string[]
}

/** More than people make by accident; whoever makes more gets the greatest of them, whole. */
const MAX_MERGED_SIDES = 16
const CONTEXT = 'makiatto merged release 1'

/**
 * The plan for what stands side by side at a domain's release key, greatest first; undefined where there is nothing to
 * merge: one side only, one that is a rollback or no release at all, too many, or all with the same files.
 */
export function planMerge(
  domain: Hostname,
  sides: readonly { readonly operation: OperationId; readonly value: unknown }[],
  base: Release | undefined,
): MergePlan | undefined {
  if (!isMergeable(sides.map(({ value }) => value as ReleaseValue | undefined))) return undefined
  return { domain, base, sides: sides.map((side) => ({ ...(side.value as ReleaseValue), id: side.operation, domain })) }
}

/** True where the values of a release key that stand side by side are to be merged, if the owner asked for it. */
export function isMergeable(values: readonly (ReleaseValue | undefined)[]): boolean {
  if (values.length < 2 || values.length > MAX_MERGED_SIDES) return false
  if (values.some((value) => value === undefined || value.rollbackOf !== undefined)) return false
  const [first] = values
  return values.some((value) => !isSameContent(value as ReleaseValue, first as ReleaseValue))
}

function isSameContent(a: ReleaseValue, b: ReleaseValue): boolean {
  const content = ({ tree, aliases, functions, transforms }: ReleaseValue) => [tree, aliases, functions, transforms]
  return isDeepStrictEqual(content(a), content(b))
}

/** The id of a merged release: SHA-256 of a context string, the base (zeros for none) and the sorted sides. */
export function mergeId({ base, sides }: Pick<MergePlan, 'base' | 'sides'>): OperationId {
  const hash = createHash('sha256').update(CONTEXT)
  hash.update(base === undefined ? new Uint8Array(ID_BYTES) : idBytes(base.id))
  for (const id of sides.map((side) => side.id).sort()) hash.update(idBytes(id))
  return operationIdFrom(hash.digest())
}

/**
 * Merges what a plan names, given the manifest of each release in it (of `base` where there is one). Throws MAKI_TOO_LARGE
 * where the sides have more files together than a site can have.
 */
export function mergeReleases(plan: MergePlan, manifests: ReadonlyMap<BlobHash, Manifest>): Merge {
  const { base, sides } = plan
  const manifestOf = (release: Release): Manifest => manifests.get(release.manifest) as Manifest
  const files = mergeManifests(base === undefined ? Manifest.of([]) : manifestOf(base), sides.map(manifestOf))
  const lists = <T>(list: (release: Release) => readonly T[]) => ({
    base: base === undefined ? [] : list(base),
    sides: sides.map(list),
  })
  const aliases = mergeByName(
    lists(({ aliases }) => aliases),
    (alias) => alias,
  )
  const functions = mergeByName(
    lists(({ functions = [] }) => functions),
    ({ path }) => path,
  )
  // Their order is part of what they mean, so the list is one value.
  const transforms = lists(({ transforms = [] }) => transforms)
  return {
    ...files,
    aliases: aliases.sort(),
    functions,
    transforms: mergeValue<readonly TransformValue[]>(transforms.base, transforms.sides, isDeepStrictEqual).value,
  }
}

/**
 * Path by path, over all sides at once: what no side changed is as in the base; what one side changed, or several in the
 * same way, is as changed, deleted files included; what two sides changed differently is as in the first, the greatest:
 * as it would be without merging. The order of the other sides does not matter.
 */
export function mergeManifests(
  base: Manifest,
  sides: readonly Manifest[],
): { readonly manifest: Manifest; readonly contested: readonly string[] } {
  const changed = new Set<string>()
  for (const side of sides) {
    for (const { path } of side.changedFrom(base)) changed.add(path)
    for (const { path } of base.changedFrom(side)) changed.add(path)
  }
  const files: ManifestFile[] = []
  for (const file of base.files()) if (!changed.has(file.path)) files.push(file)
  const contested: string[] = []
  for (const path of changed) {
    const versions = sides.map((side) => side.find(path))
    const { value, isContested } = mergeValue(base.find(path), versions, isSameFile)
    if (value !== undefined) files.push(value)
    if (isContested) contested.push(path)
  }
  return { manifest: Manifest.of(files), contested: contested.sort() }
}

/** The rule for one value; the first side is the greatest. */
function mergeValue<T>(
  base: T,
  sides: readonly T[],
  isSame: (a: T, b: T) => boolean,
): { readonly value: T; readonly isContested: boolean } {
  const changed = sides.filter((side) => !isSame(side, base))
  const [first] = changed
  if (changed.length === 0) return { value: base, isContested: false }
  if (changed.every((side) => isSame(side, first as T))) return { value: first as T, isContested: false }
  return { value: sides[0] as T, isContested: true }
}

/** Lists whose items have a name each, in the order of the names. */
function mergeByName<T>(
  { base, sides }: { readonly base: readonly T[]; readonly sides: readonly (readonly T[])[] },
  nameOf: (item: T) => string,
): T[] {
  const byName = (list: readonly T[]) => new Map(list.map((item) => [nameOf(item), item]))
  const before = byName(base)
  const versions = sides.map(byName)
  const names = new Set([before, ...versions].flatMap((map) => [...map.keys()]))
  return [...names].sort().flatMap((name) => {
    const found = versions.map((map) => map.get(name))
    const { value } = mergeValue<T | undefined>(before.get(name), found, isDeepStrictEqual)
    return value === undefined ? [] : [value]
  })
}

function isSameFile(a: ManifestFile | undefined, b: ManifestFile | undefined): boolean {
  return a?.hash === b?.hash && a?.sizeBytes === b?.sizeBytes
}

/** The release that a merge makes, with the manifest as every node stores it. */
export function describeMerge(
  plan: MergePlan,
  merge: Merge,
): { readonly release: MergedRelease; readonly bytes: Uint8Array } {
  const { manifest, aliases, functions, transforms } = merge
  const encoded = manifest.encodeStored()
  const release: MergedRelease = {
    id: mergeId(plan),
    domain: plan.domain,
    manifest: encoded.hash,
    tree: encoded.tree,
    files: manifest.fileCount,
    bytes: manifest.totalBytes,
    aliases,
    ...(functions.length === 0 ? {} : { functions }),
    ...(transforms.length === 0 ? {} : { transforms }),
    merge: { base: plan.base?.id ?? null, sides: plan.sides.map(({ id }) => id) },
  }
  return { release, bytes: encoded.bytes }
}

/** The sides of a release that is a merge; undefined for one that was published. */
export function sidesOf(release: Release): readonly OperationId[] | undefined {
  return 'merge' in release ? (release as MergedRelease).merge.sides : undefined
}

/** What a release names besides its files: its manifest, and the components of its functions and transforms. */
export function namedBlobs(release: Pick<ReleaseValue, 'manifest' | 'functions' | 'transforms'>): BlobHash[] {
  const { manifest, functions = [], transforms = [] } = release
  return [...new Set([manifest, ...[...functions, ...transforms].map(({ component }) => component)])]
}
