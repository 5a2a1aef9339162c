import { isDeepStrictEqual } from 'node:util'
import type { FunctionValue, Manifest, ReleaseValue, TransformValue } from '../../core/index.ts'

/** A path that is not the same in two releases. */
export interface PathChange {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly path: string
  /** Bytes before and after; null where the path is not there. */
  readonly wasBytes: number | null
  readonly isBytes: number | null
}

/** What changes from one list of files to another, sorted by path. Pure. */
export function diffManifests(from: Manifest, to: Manifest): readonly PathChange[] {
  const changes: PathChange[] = []
  for (const { path, sizeBytes } of to.changedFrom(from)) {
    const was = from.find(path)
    changes.push({
      kind: was === undefined ? 'added' : 'changed',
      path,
      wasBytes: was?.sizeBytes ?? null,
      isBytes: sizeBytes,
    })
  }
  for (const { path, sizeBytes } of from.changedFrom(to))
    if (to.find(path) === undefined) changes.push({ kind: 'removed', path, wasBytes: sizeBytes, isBytes: null })
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** A function or transform that is not the same in two releases. */
export interface ComponentChange {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly role: 'function' | 'transform'
  readonly path: string
  /** What of it is another, in the order of a release's table; empty unless it is `changed`. */
  readonly parts: readonly ('code' | 'environment' | 'settings' | 'order')[]
}

type Components = Pick<ReleaseValue, 'functions' | 'transforms'>
type Component = FunctionValue | TransformValue

/** What changes of functions, then of transforms, each sorted by path. A transform may stand twice, for other files. Pure. */
export function diffComponents(from: Components, to: Components): readonly ComponentChange[] {
  return [
    ...diffRole('function', from.functions ?? [], to.functions ?? []),
    ...diffRole('transform', from.transforms ?? [], to.transforms ?? []),
  ]
}

function diffRole(
  role: ComponentChange['role'],
  from: readonly Component[],
  to: readonly Component[],
): readonly ComponentChange[] {
  const [before, after] = [nameEach(from), nameEach(to)]
  const changes = [...new Set([...before.keys(), ...after.keys()])].flatMap((name): ComponentChange[] => {
    const [was, is] = [before.get(name), after.get(name)]
    const path = (is ?? was)?.path ?? name
    if (was === undefined) return [{ kind: 'added', role, path, parts: [] }]
    if (is === undefined) return [{ kind: 'removed', role, path, parts: [] }]
    const parts = listParts(was, is)
    return parts.length === 0 ? [] : [{ kind: 'changed', role, path, parts }]
  })
  const isReordered =
    role === 'transform' && changes.length === 0 && [...before.keys()].join() !== [...after.keys()].join()
  if (isReordered) return to.map(({ path }) => ({ kind: 'changed', role, path, parts: ['order'] }))
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** By path, and by which of those with that path it is. */
function nameEach(components: readonly Component[]): ReadonlyMap<string, Component> {
  const named = new Map<string, Component>()
  for (const component of components) {
    let name = component.path
    for (let i = 2; named.has(name); i++) name = `${component.path} ${i}`
    named.set(name, component)
  }
  return named
}

function listParts(was: Component, is: Component): ComponentChange['parts'] {
  const { component: codeWas, env: envWas = {}, ...settingsWas } = was
  const { component: codeIs, env: envIs = {}, ...settingsIs } = is
  const parts: ComponentChange['parts'][number][] = []
  if (codeWas !== codeIs) parts.push('code')
  if (!isDeepStrictEqual(envWas, envIs)) parts.push('environment')
  if (!isDeepStrictEqual(settingsWas, settingsIs)) parts.push('settings')
  return parts
}
