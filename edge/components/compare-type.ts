import type { FunctionType, Member, ValueType } from './component-type.ts'
import { quoteName } from './unfit.ts'

/**
 * How a function's type differs from the one that is expected, in words that name the place; undefined where it does not.
 * Only structure counts, not what types are called. Takes as long as the expected type is large, whatever the other is.
 */
export function compareFunctionTypes(found: FunctionType, expected: FunctionType): string | undefined {
  if (found.isAsync) return 'it is asynchronous (`async func`)'
  const difference = compareMembers(found.parameters, expected.parameters, '', 'parameter')
  if (difference !== undefined) return difference
  if (expected.result === undefined || found.result === undefined)
    return found.result === expected.result ? undefined : 'it gives no result'
  return compareTypes(found.result, expected.result, 'result')
}

function compareTypes(found: ValueType, expected: ValueType, at: string): string | undefined {
  const unlike = `${at} is ${describeType(found)}, not ${describeType(expected)}`
  switch (expected.kind) {
    case 'primitive':
      return found.kind === 'primitive' && found.primitive === expected.primitive ? undefined : unlike
    case 'record':
      return found.kind === 'record' ? compareMembers(found.members, expected.members, at, 'field') : unlike
    case 'variant':
      return found.kind === 'variant' ? compareMembers(found.members, expected.members, at, 'case') : unlike
    case 'enum':
    case 'flags': {
      if (found.kind !== expected.kind) return unlike
      const asMembers = (labels: readonly string[]) => labels.map((label): Member => [label, undefined])
      return compareMembers(asMembers(found.labels), asMembers(expected.labels), at, 'case')
    }
    case 'list':
    case 'option':
      return found.kind === expected.kind
        ? compareTypes(found.of, expected.of, `${at}, inside of its ${expected.kind},`)
        : unlike
    case 'tuple': {
      if (found.kind !== 'tuple' || found.parts.length !== expected.parts.length) return unlike
      return firstOf(expected.parts, (part, i) => compareTypes(found.parts[i] as ValueType, part, `${at}.${i}`))
    }
    case 'result':
      if (found.kind !== 'result') return unlike
      return (
        compareOptional(found.ok, expected.ok, `the good side of ${at}`) ??
        compareOptional(found.error, expected.error, `the error of ${at}`)
      )
    case 'own':
    case 'borrow':
      return found.kind === expected.kind ? undefined : unlike
    default:
      return expected satisfies never
  }
}

function compareOptional(
  found: ValueType | undefined,
  expected: ValueType | undefined,
  at: string,
): string | undefined {
  if (found !== undefined && expected !== undefined) return compareTypes(found, expected, at)
  if (found === expected) return undefined
  return found === undefined ? `${at} has no type` : `${at} has a type`
}

/** Names in their order: a record with the same fields in another order is another record. */
function compareMembers(
  found: readonly Member[],
  expected: readonly Member[],
  at: string,
  what: string,
): string | undefined {
  const difference = firstOf(expected, ([name, type], i) => {
    const place = at === '' ? `\`${name}\`` : `${at.replace(/`$/, '')}.${name}${at.endsWith('`') ? '`' : ''}`
    const other = found[i]
    if (other === undefined) return `${what} ${place} is missing`
    if (other[0] !== name) {
      const instead = found.some(([named]) => named === name) ? `has its place taken by` : 'is missing; there is'
      return `${what} ${place} ${instead} ${quoteName(other[0])}`
    }
    return compareOptional(other[1], type, place)
  })
  const extra = found[expected.length]
  if (difference !== undefined || extra === undefined) return difference
  return `${at === '' ? 'it' : at} has a ${what} ${quoteName(extra[0])} more`
}

function firstOf<T>(items: readonly T[], find: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index)
    if (found !== undefined) return found
  }
  return undefined
}

/** As WIT has it, one level deep. */
function describeType(type: ValueType): string {
  switch (type.kind) {
    case 'primitive':
      return `\`${type.primitive}\``
    case 'list':
    case 'option':
      return `\`${type.kind}<${type.of.kind === 'primitive' ? type.of.primitive : type.of.kind}>\``
    case 'record':
    case 'variant':
      return `a ${type.kind} of ${type.members.length}`
    case 'enum':
    case 'flags':
      return `${type.kind === 'enum' ? 'an enum' : 'flags'} of ${type.labels.length}`
    case 'tuple':
      return `a tuple of ${type.parts.length}`
    case 'result':
      return 'a result'
    case 'own':
    case 'borrow':
      return 'a handle to a resource'
    default:
      return type satisfies never
  }
}
