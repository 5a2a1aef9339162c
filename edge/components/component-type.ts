import { MOST } from './limits.ts'
import { Unfit } from './unfit.ts'

export type Primitive =
  | 'bool'
  | 's8'
  | 'u8'
  | 's16'
  | 'u16'
  | 's32'
  | 'u32'
  | 's64'
  | 'u64'
  | 'f32'
  | 'f64'
  | 'char'
  | 'string'

/** A name and the type that it has; cases of a variant may have none. */
export type Member = readonly [name: string, type: ValueType | undefined]

type ValueShape =
  | { readonly kind: 'primitive'; readonly primitive: Primitive }
  | { readonly kind: 'record' | 'variant'; readonly members: readonly Member[] }
  | { readonly kind: 'enum' | 'flags'; readonly labels: readonly string[] }
  | { readonly kind: 'list' | 'option'; readonly of: ValueType }
  | { readonly kind: 'tuple'; readonly parts: readonly ValueType[] }
  | { readonly kind: 'result'; readonly ok: ValueType | undefined; readonly error: ValueType | undefined }
  | { readonly kind: 'own' | 'borrow' }

/** The type of a value, with all types that it refers to in place: several may refer to one and the same. */
export type ValueType = ValueShape & {
  /** How many types it is made of, itself included, each counted as often as it is referred to. */
  readonly size: number
  readonly depth: number
}

export interface FunctionType {
  readonly kind: 'function'
  readonly parameters: readonly (readonly [name: string, type: ValueType])[]
  readonly result: ValueType | undefined
  readonly isAsync: boolean
  /** Of all types in it. */
  readonly size: number
}

export interface InstanceType {
  readonly kind: 'instance'
  readonly exports: ReadonlyMap<string, Extern>
}

export type ComponentType = ValueType | FunctionType | InstanceType | { readonly kind: 'resource' }

/** Something that has a name: an import, or an export. */
export type Extern =
  | { readonly sort: 'function'; readonly type: FunctionType }
  | { readonly sort: 'type'; readonly type: ComponentType }
  | { readonly sort: 'instance'; readonly type: InstanceType }

/** A type made of others, measured; one that would grow without end in what is generated for it is an `Unfit`. */
export function buildValueType(shape: ValueShape): ValueType {
  let size = 1
  let depth = 0
  for (const part of partsOf(shape)) {
    size += part.size
    depth = Math.max(depth, part.depth)
  }
  if ('labels' in shape) size += shape.labels.length
  if (size > MOST.typeParts || depth >= MOST.typeDepth)
    throw new Unfit(
      'too-large',
      `The component has a type of more than ${MOST.typeParts} parts, or one that is nested deeper than ${MOST.typeDepth}.`,
      'Make it of fewer or flatter types.',
    )
  return { ...shape, size, depth: depth + 1 }
}

/** A function's type, measured. */
export function buildFunctionType(type: Omit<FunctionType, 'kind' | 'size'>): FunctionType {
  const size = type.parameters.reduce((sum, [, { size }]) => sum + size, 1 + (type.result?.size ?? 0))
  return { ...type, kind: 'function', size }
}

/** Whether it is the type of a value: no function, instance or resource. */
export function isValueType(type: ComponentType): type is ValueType {
  return type.kind !== 'function' && type.kind !== 'instance' && type.kind !== 'resource'
}

function partsOf(shape: ValueShape): readonly ValueType[] {
  switch (shape.kind) {
    case 'record':
    case 'variant':
      return shape.members.flatMap(([, type]) => type ?? [])
    case 'list':
    case 'option':
      return [shape.of]
    case 'tuple':
      return shape.parts
    case 'result':
      return [shape.ok, shape.error].filter((type) => type !== undefined)
    case 'primitive':
    case 'enum':
    case 'flags':
    case 'own':
    case 'borrow':
      return []
    default:
      return shape satisfies never
  }
}
