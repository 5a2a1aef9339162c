import type { FunctionValue } from '../../core/index.ts'
import type { SiteFunction } from './site-functions.ts'

/** Where routes part, a segment each; of a route that ends here `at` answers. */
interface Branch {
  readonly exact: Map<string, Branch>
  /** Of `[name]`: any one segment. */
  one: Branch | undefined
  at: SiteFunction | undefined
  /** Of `[...name]`: one segment or more; of `[[...name]]`: none, too. */
  below: SiteFunction | undefined
  atOrBelow: SiteFunction | undefined
}

const ONE = /^\[[\w-]+\]$/
const SOME = /^\[\.\.\.[\w-]+\]$/
const ALL = /^\[\[\.\.\.[\w-]+\]\]$/
const EXTENSION = /\.wasm$/

/**
 * The functions of a release by the paths that they answer; immutable. Segment by segment from the left a name beats `[name]`,
 * which beats `[...name]`, which beats `[[...name]]`; of two functions with the same route the first by its file's name
 * answers. Looking up visits no branch twice, whatever is asked.
 */
export class FunctionTable {
  static readonly empty: FunctionTable = new FunctionTable([])

  /** By their files' names. */
  readonly functions: readonly SiteFunction[]
  readonly #root = newBranch()
  readonly #files = new Set<string>()

  constructor(values: readonly FunctionValue[]) {
    // `api.wasm` is asked before `api/index.wasm`.
    const sorted = [...values].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    this.functions = sorted.map((value) => this.#add(value))
  }

  /** `path` as `decodePath` gives it, without slashes at its ends; a final slash makes no difference. */
  find(path: string): SiteFunction | undefined {
    return findBelow(this.#root, path === '' ? [] : path.split('/'), 0)
  }

  /** The path is that of a component's file, which is not served to anybody. */
  isComponent(path: string): boolean {
    return this.#files.has(path)
  }

  #add(value: FunctionValue): SiteFunction {
    this.#files.add(value.path)
    const segments = value.path.replace(EXTENSION, '').split('/')
    const last = segments.at(-1) as string
    const isSome = SOME.test(last)
    const isAll = ALL.test(last)
    const isCatchAll = isSome || isAll
    if (isCatchAll || last === 'index') segments.pop()
    const found: SiteFunction = {
      ...value,
      route: isCatchAll ? [...segments, last].join('/') : segments.join('/'),
      isCatchAll,
    }
    let branch = this.#root
    for (const segment of segments) branch = branchFor(branch, segment)
    if (isSome) branch.below ??= found
    else if (isAll) branch.atOrBelow ??= found
    else branch.at ??= found
    return found
  }
}

function newBranch(): Branch {
  return { exact: new Map(), one: undefined, at: undefined, below: undefined, atOrBelow: undefined }
}

function branchFor(from: Branch, segment: string): Branch {
  if (ONE.test(segment)) {
    from.one ??= newBranch()
    return from.one
  }
  const known = from.exact.get(segment)
  if (known !== undefined) return known
  const branch = newBranch()
  from.exact.set(segment, branch)
  return branch
}

function findBelow(branch: Branch, segments: readonly string[], from: number): SiteFunction | undefined {
  const segment = segments[from]
  if (segment === undefined) return branch.at ?? branch.atOrBelow
  const exact = branch.exact.get(segment)
  const found = exact === undefined ? undefined : findBelow(exact, segments, from + 1)
  if (found !== undefined) return found
  const one = branch.one === undefined ? undefined : findBelow(branch.one, segments, from + 1)
  return one ?? branch.below ?? branch.atOrBelow
}
