import type { BlobHash, Hostname, Release } from '../../../core/index.ts'

/** The components that a release runs, each once. Pure. */
export function listComponents({
  functions = [],
  transforms = [],
}: Pick<Release, 'functions' | 'transforms'>): BlobHash[] {
  return [...new Set([...functions, ...transforms].map(({ component }) => component))]
}

/** Where a component lies in the sites that run it: what a person can look for, as a hash is not. */
export interface ComponentPlace {
  readonly domain?: Hostname
  /** Its path in the site, where it is a function; `transform` where it is one. */
  readonly function?: string
  readonly transform?: string
  /** In how many other places it lies too; absent where there is none. */
  readonly otherPlaces?: number
}

/** The first place of a component in these releases, for the log; empty where none of them runs it. Pure. */
export function findPlace(component: BlobHash, releases: Iterable<Release>): ComponentPlace {
  let first: ComponentPlace | undefined
  const seen = new Set<string>()
  for (const { domain, functions = [], transforms = [] } of releases) {
    for (const [kind, list] of [['function', functions] as const, ['transform', transforms] as const]) {
      for (const { path, component: one } of list) {
        if (one !== component) continue
        first ??= { domain, [kind]: path }
        seen.add(`${domain} ${kind} ${path}`)
      }
    }
  }
  return seen.size > 1 ? { ...first, otherPlaces: seen.size - 1 } : (first ?? {})
}
