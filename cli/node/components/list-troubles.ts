import type { BlobHash, Hostname, Release } from '../../../core/index.ts'
import type { ComponentFault } from '../../../edge/index.ts'

/** A component of a release that is served, and cannot be run. */
export interface ComponentTrouble {
  readonly domain: Hostname
  /** Of the component in the site. */
  readonly path: string
  readonly message: string
}

/** What of the releases that are served cannot be run, in their order. Pure. */
export function listTroubles(
  served: ReadonlyMap<Hostname, Release>,
  findFault: (component: BlobHash) => ComponentFault | undefined,
): ComponentTrouble[] {
  return [...served].flatMap(([domain, { functions = [], transforms = [] }]) =>
    [...functions, ...transforms].flatMap(({ path, component }) => {
      const fault = findFault(component)
      return fault === undefined ? [] : [{ domain, path, message: fault.message }]
    }),
  )
}
