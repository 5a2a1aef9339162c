import { createHash } from 'node:crypto'
import {
  type BlobHash,
  type FunctionValue,
  type Hostname,
  MakiError,
  type ReleaseValue,
  type Sealed,
  sealPurpose,
  type TransformValue,
} from '../../core/index.ts'
import type { Inspection, SameItem, World } from '../../edge/index.ts'
import type { ComponentConfig, DomainConfig } from '../config/index.ts'
import type { SourceFile } from './scan.ts'
import type { SecretTarget } from './sync-target.ts'
import { isSameValue } from './wanted.ts'

/** The components of a release. */
export type Components = Pick<ReleaseValue, 'functions' | 'transforms'>

/** What a table of makiatto.toml holds, in words. */
const KINDS: Readonly<Record<World, string>> = { http: 'a function', transform: 'a transform' }
const MEBIBYTE = 1024 * 1024

/**
 * Reads, inspects and hashes the component files of a domain. Throws MAKI_CONFIG, with their places in makiatto.toml, for
 * files that are no component that a node runs, or one of the other world, or that need more memory than they are given.
 */
export async function hashComponents({ components }: DomainConfig): Promise<readonly SourceFile[]> {
  const files: SourceFile[] = []
  const faults: { readonly message: string; readonly hint: string }[] = []
  const wanted = [
    ...components.functions.map((each) => [each, 'http'] as const),
    ...components.transforms.map((each) => [each, 'transform'] as const),
  ]
  if (wanted.length === 0) return files
  // Loaded here: a node's whole way with components.
  const { inspectFile } = await import('../wasm/index.ts')
  for (const [component, world] of wanted) {
    const { bytes, inspection } = await inspectFile(component.source)
    const fault = findFault(inspection, component, world)
    if (fault !== undefined) {
      faults.push({ message: `${component.place}: ${fault.message}`, hint: fault.hint })
      continue
    }
    const hash = createHash('sha256').update(bytes).digest('hex') as BlobHash
    files.push({ path: component.path, source: component.source, hash, sizeBytes: bytes.length })
  }
  const [first] = faults
  if (first === undefined) return files
  const message =
    faults.length === 1
      ? first.message
      : `${faults.length} components are not fit:${faults.map((fault) => `\n  ${fault.message}`).join('')}`
  throw new MakiError('MAKI_CONFIG', message, { hint: [...new Set(faults.map(({ hint }) => hint))].join('\n') })
}

/** What is wrong with a component where it stands. Pure. */
function findFault(
  inspection: Inspection,
  { path, maxMemoryMb }: ComponentConfig,
  world: World,
): { readonly message: string; readonly hint: string } | undefined {
  if (inspection.kind === 'unfit') {
    const { message, hint } = inspection.fault
    return { message: `${path} is not fit: ${message}`, hint }
  }
  const { report } = inspection
  if (report.world !== world)
    return {
      message: `${path} is ${KINDS[report.world]}, and ${KINDS[world]} is wanted here`,
      hint: `Move it to [[domain.${report.world === 'http' ? 'functions' : 'transforms'}]], or build it for the world ${world}.`,
    }
  if (maxMemoryMb !== undefined && report.largestMemoryBytes > maxMemoryMb * MEBIBYTE) {
    const needed = Math.ceil(report.largestMemoryBytes / MEBIBYTE)
    return {
      message: `${path} needs ${needed} MiB of memory from the start, and max_memory_mb gives ${maxMemoryMb}`,
      hint: `max_memory_mb = ${needed} or more`,
    }
  }
  return undefined
}

export interface SealingInput {
  readonly domain: DomainConfig
  readonly files: readonly SourceFile[]
  readonly tree: BlobHash
  /** What is served now. */
  readonly present: ReleaseValue | undefined
  /** What this project published last. */
  readonly last: ReleaseValue | undefined
  readonly secrets: SecretTarget | undefined
}

export interface SealedComponents {
  readonly components: Components
  /** To be told to the person; undefined where there is nothing. */
  readonly warning: string | undefined
}

/**
 * The components as a release carries them. A value keeps its box where a node says that it did not change, so that nothing is
 * written then. Where no node can be asked, either nothing of the release changes at all and that is said, or all values are sealed
 * anew: what is published is never older than the file.
 */
export async function sealComponents(input: SealingInput): Promise<SealedComponents> {
  const { domain, present, last, secrets, tree } = input
  const build = (boxes: Boxes): Components => buildComponents(input, boxes)
  const places = listPlaces(domain)
  if (places.length === 0) return { components: build(new Map()), warning: undefined }
  if (secrets === undefined)
    throw new MakiError('MAKI_UNSUPPORTED', `${domain.name} has secret values, which cannot be sealed here`)
  const isSame = (release: ReleaseValue, components: Components): boolean =>
    isSameValue(release, { ...release, tree, functions: [], transforms: [], ...components })

  const kept = collectBoxes(domain.name, present)
  const fresh = new Map<string, Sealed>()
  for (const { purpose, value } of places)
    fresh.set(purpose, await secrets.seal(purpose, new TextEncoder().encode(value)))
  const items = places.flatMap(({ purpose }): SameItem[] => {
    const sealed = kept.get(purpose)
    return sealed === undefined ? [] : [{ purpose, sealed, value: fresh.get(purpose) as Sealed }]
  })
  const same = items.length === 0 ? [] : await secrets.same(items)
  if (same === undefined) {
    const unchanged = build(merge(fresh, kept))
    if (present !== undefined && isSame(present, unchanged))
      return {
        components: unchanged,
        warning: `${domain.name}: whether values of env changed can only be asked of a node; they stay as they are. Sync again with a node to be sure`,
      }
    return { components: build(fresh), warning: undefined }
  }
  const unchanged = items.filter((_, i) => same[i] === true)
  const settled = build(merge(fresh, new Map(unchanged.map(({ purpose, sealed }) => [purpose, sealed]))))
  if (present?.rollbackOf === undefined || last === undefined || isSame(present, settled))
    return { components: settled, warning: undefined }
  // After a rollback, boxes that are not served any more cannot be compared: files that did not change leave it as it is.
  const before = build(merge(fresh, collectBoxes(domain.name, last)))
  if (!isSame(last, before)) return { components: settled, warning: undefined }
  return {
    components: before,
    warning: `${domain.name} was rolled back; whether values of env changed since its last sync cannot be told, so it stays rolled back`,
  }
}

type Boxes = ReadonlyMap<string, Sealed>

const merge = (fresh: Boxes, kept: Boxes): Boxes =>
  new Map([...fresh].map(([purpose, sealed]) => [purpose, kept.get(purpose) ?? sealed]))

function listPlaces({ name, components }: DomainConfig): { purpose: string; value: string }[] {
  const places = new Map<string, string>()
  for (const { path, env } of [...components.functions, ...components.transforms])
    for (const [variable, value] of Object.entries(env)) places.set(sealPurpose.env(name, path, variable), value)
  return [...places].map(([purpose, value]) => ({ purpose, value }))
}

function collectBoxes(domain: Hostname, release: ReleaseValue | undefined): Boxes {
  const boxes = new Map<string, Sealed>()
  for (const { path, env = {} } of [...(release?.functions ?? []), ...(release?.transforms ?? [])])
    for (const [variable, sealed] of Object.entries(env)) boxes.set(sealPurpose.env(domain, path, variable), sealed)
  return boxes
}

function buildComponents({ domain, files }: SealingInput, boxes: Boxes): Components {
  const hashes = new Map(files.map(({ path, hash }) => [path, hash]))
  const common = ({ path, env, timeoutMs, maxMemoryMb }: ComponentConfig) => {
    const sealed = Object.keys(env).map((variable) => {
      return [variable, boxes.get(sealPurpose.env(domain.name, path, variable)) as Sealed] as const
    })
    return {
      path,
      component: hashes.get(path) as BlobHash,
      ...(sealed.length === 0 ? {} : { env: Object.fromEntries(sealed) }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(maxMemoryMb === undefined ? {} : { maxMemoryMb }),
    }
  }
  const functions = domain.components.functions.map((each): FunctionValue => {
    return { ...common(each), ...(each.methods === undefined ? {} : { methods: each.methods }) }
  })
  const transforms = domain.components.transforms.map((each): TransformValue => {
    const { files: pattern, maxFileSizeKb } = each
    return { ...common(each), files: pattern, ...(maxFileSizeKb === undefined ? {} : { maxFileSizeKb }) }
  })
  return {
    ...(functions.length === 0 ? {} : { functions }),
    ...(transforms.length === 0 ? {} : { transforms }),
  }
}
