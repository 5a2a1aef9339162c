import type { Extern } from './component-type.ts'
import { findInterface } from './names.ts'
import { OFFERED_FUNCTIONS } from './offered-functions.ts'
import { quoteName, Unfit } from './unfit.ts'

/**
 * Interfaces of WASI that a component may import, at any version 0.2.x and here without it, each with its functions as the
 * component model names them: `get-environment`, `[method]pollable.block`. Those for UDP are there because standard libraries
 * import them; no UDP socket can be made.
 */
export const OFFERED: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(OFFERED_FUNCTIONS).map(([path, byResource]) => [
    path,
    new Set(Object.entries(byResource).flatMap(([resource, names]) => names.split(' ').map(nameIn(resource)))),
  ]),
)

function nameIn(resource: string): (name: string) => string {
  return (name) => {
    if (resource === '') return name
    if (name === 'new') return `[constructor]${resource}`
    return name.startsWith('.') ? `[static]${resource}${name}` : `[method]${resource}.${name}`
  }
}

/** An import of the whole component. Its `sort` is `instance` where it is one of an interface. */
export function checkImport(name: string, extern: Extern): void {
  const found = findInterface(name)
  if (found === undefined || extern.sort !== 'instance')
    throw new Unfit(
      'unknown-import',
      `The component imports ${quoteName(name)}, a ${extern.sort} of its own world: only interfaces of WASI 0.2 can be imported.`,
    )
  const { path, version } = found
  const functions = OFFERED.get(path)
  if (functions !== undefined) {
    if (version === undefined || !/^0\.2\.\d+$/.test(version))
      throw new Unfit(
        'unknown-import',
        `The component imports ${quoteName(name)}; ${path} is offered at versions 0.2.0 and later of 0.2 only.`,
        'Build it with a toolchain for WASI 0.2 (wasm32-wasip2), or with an adapter to it.',
      )
    for (const [member, { sort }] of extern.type.exports)
      if (sort === 'instance' || (sort === 'function' && !functions.has(member)))
        throw new Unfit(
          'unknown-import',
          `The component imports ${quoteName(member)} of ${name}, which is not offered here.`,
        )
    return
  }
  if (path === 'wasi:http/incoming-handler')
    throw new Unfit(
      'unknown-import',
      `The component imports ${quoteName(name)}: it would have requests answered by another component, and there is none.`,
    )
  const known = [...OFFERED.keys()].filter((offered) => offered.split('/')[0] === path.split('/')[0])
  const hint =
    known.length === 0
      ? `Interfaces of these packages are offered: ${offeredPackages().join(', ')}.`
      : `Of this package these are offered: ${known.join(', ')}.`
  throw new Unfit('unknown-import', `The component imports ${quoteName(name)}, which is not offered here.`, hint)
}

function offeredPackages(): string[] {
  return [...new Set([...OFFERED.keys()].map((path) => path.split('/')[0] as string))]
}
