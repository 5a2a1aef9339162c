import type { BinaryReader } from './binary-reader.ts'
import {
  addName,
  addToSpace,
  buildScope,
  pick,
  pickFunctionType,
  pickInstanceType,
  pickValueType,
  type Scope,
  unsupported,
} from './component-scope.ts'
import {
  buildFunctionType,
  buildValueType,
  type ComponentType,
  type Extern,
  type InstanceType,
  type Member,
  type Primitive,
  type ValueType,
} from './component-type.ts'
import { MOST } from './limits.ts'
import { checkExternName, checkLabel } from './names.ts'

const PRIMITIVES: ReadonlyMap<number, ValueType> = new Map(
  (
    [
      [0x7f, 'bool'],
      [0x7e, 's8'],
      [0x7d, 'u8'],
      [0x7c, 's16'],
      [0x7b, 'u16'],
      [0x7a, 's32'],
      [0x79, 'u32'],
      [0x78, 's64'],
      [0x77, 'u64'],
      [0x76, 'f32'],
      [0x75, 'f64'],
      [0x74, 'char'],
      [0x73, 'string'],
    ] satisfies [number, Primitive][]
  ).map(([code, primitive]) => [code, buildValueType({ kind: 'primitive', primitive })]),
)

/** `type` of the component model's binary format: a type of values, of a function, of an instance, or a resource. */
export function readType(reader: BinaryReader, scope: Scope, depth: number): ComponentType {
  const code = reader.byte()
  const primitive = PRIMITIVES.get(code)
  if (primitive !== undefined) return primitive
  switch (code) {
    case 0x72:
      return buildValueType({ kind: 'record', members: reader.list(() => readField(reader, scope)) })
    case 0x71:
      return buildValueType({ kind: 'variant', members: reader.list(() => readCase(reader, scope)) })
    case 0x70:
      return buildValueType({ kind: 'list', of: readValueType(reader, scope) })
    case 0x6f:
      return buildValueType({ kind: 'tuple', parts: reader.list(() => readValueType(reader, scope)) })
    case 0x6e:
      return buildValueType({ kind: 'flags', labels: reader.list(() => checkLabel(reader.name(), 'a flag')) })
    case 0x6d:
      return buildValueType({ kind: 'enum', labels: reader.list(() => checkLabel(reader.name(), 'a case of an enum')) })
    case 0x6b:
      return buildValueType({ kind: 'option', of: readValueType(reader, scope) })
    case 0x6a: {
      const ok = readOptional(reader, () => readValueType(reader, scope))
      return buildValueType({ kind: 'result', ok, error: readOptional(reader, () => readValueType(reader, scope)) })
    }
    case 0x69:
    case 0x68:
      if (pick(scope.types, reader.u32(), reader).kind !== 'resource')
        throw reader.broken('it has a handle to something that is no resource')
      return buildValueType({ kind: code === 0x69 ? 'own' : 'borrow' })
    case 0x40:
    case 0x43: {
      const parameters = reader.list(() => readField(reader, scope))
      return buildFunctionType({ parameters, result: readResult(reader, scope), isAsync: code === 0x43 })
    }
    case 0x42:
      return readInstanceType(reader, scope, depth)
    case 0x3f:
      return readResource(reader)
    case 0x41:
      throw unsupported('types of components')
    case 0x66:
    case 0x65:
      throw unsupported('streams or futures (the asynchronous component model)')
    default:
      throw unsupported(`a type of a new kind (0x${code.toString(16)})`)
  }
}

/** `valtype`: a primitive, or the index of a type. */
export function readValueType(reader: BinaryReader, scope: Scope): ValueType {
  if ((reader.peek() & 0xc0) !== 0x40) return pickValueType(scope, reader.index33(), reader)
  const code = reader.byte()
  const primitive = PRIMITIVES.get(code)
  if (primitive === undefined) throw unsupported(`a value of a new kind (0x${code.toString(16)})`)
  return primitive
}

function readField(reader: BinaryReader, scope: Scope): readonly [string, ValueType] {
  return [checkLabel(reader.name(), 'a field or parameter'), readValueType(reader, scope)]
}

function readCase(reader: BinaryReader, scope: Scope): Member {
  const name = checkLabel(reader.name(), 'a case of a variant')
  const type = readOptional(reader, () => readValueType(reader, scope))
  if (reader.byte() !== 0x00) throw unsupported('cases of a variant that refine others')
  return [name, type]
}

function readResult(reader: BinaryReader, scope: Scope): ValueType | undefined {
  const code = reader.byte()
  if (code === 0x00) return readValueType(reader, scope)
  if (code !== 0x01 || reader.byte() !== 0x00) throw unsupported('functions with several results')
  return undefined
}

function readResource(reader: BinaryReader): ComponentType {
  if (reader.byte() !== 0x7f) throw unsupported('resources that are not of 32 bits')
  readOptional(reader, () => reader.u32())
  return { kind: 'resource' }
}

/** What may be there or not, by a byte before it. */
export function readOptional<T>(reader: BinaryReader, read: () => T): T | undefined {
  const isThere = reader.byte()
  if (isThere > 1) throw reader.broken('it has an optional part that is neither there nor not')
  return isThere === 1 ? read() : undefined
}

function readInstanceType(reader: BinaryReader, parent: Scope, depth: number): InstanceType {
  if (depth >= MOST.nesting) throw unsupported(`types that are nested deeper than ${MOST.nesting}`)
  const scope = buildScope(parent)
  reader.list(() => {
    const code = reader.byte()
    if (code === 0x01) scope.types.push(readType(reader, scope, depth + 1))
    else if (code === 0x02) readAliasInType(reader, scope)
    else if (code === 0x04) {
      const name = readExternName(reader, 'an export of a type')
      const extern = readExternType(reader, scope)
      addName(scope.exports, name, extern, reader)
      addToSpace(scope, extern)
    } else throw unsupported('declarations of core types, or of a new kind, in types')
  })
  return { kind: 'instance', exports: scope.exports }
}

function readAliasInType(reader: BinaryReader, scope: Scope): void {
  const sort = reader.byte()
  const target = reader.byte()
  if (sort === 0x03 && target === 0x02) scope.types.push(readOuterType(reader, scope))
  else if ((sort === 0x03 || sort === 0x05) && target === 0x00)
    addToSpace(scope, readInstanceExport(reader, scope, sort === 0x03 ? 'type' : 'instance'))
  else throw unsupported('an alias of a new kind in a type')
}

/** The type that an alias to an outer scope names, counted outward from 0, this one. */
export function readOuterType(reader: BinaryReader, scope: Scope): ComponentType {
  return pick(readOuterScope(reader, scope).types, reader.u32(), reader)
}

/** The scope that an alias names, counted outward from 0, this one. */
export function readOuterScope(reader: BinaryReader, scope: Scope): Scope {
  let outer: Scope | undefined = scope
  for (let steps = Math.min(reader.u32(), 2 * MOST.nesting + 1); steps > 0; steps -= 1) outer = outer?.parent
  if (outer === undefined) throw reader.broken('it refers to something outside of itself')
  return outer
}

/** What an alias names in an instance: its index, then the name. */
export function readInstanceExport(reader: BinaryReader, scope: Scope, sort: Extern['sort']): Extern {
  const instance = pick(scope.instances, reader.u32(), reader)
  const found = instance.exports.get(checkExternName(reader.name(), 'an alias'))
  if (found?.sort !== sort) throw reader.broken('it refers to something that an instance does not have')
  return found
}

/** `nameattributes` of imports and exports, without attributes. */
export function readExternName(reader: BinaryReader, where: string): string {
  if (reader.byte() > 0x01) throw unsupported('names with attributes')
  return checkExternName(reader.name(), where)
}

/** `externtype`: what an import is, or what an export is to be seen as. */
export function readExternType(reader: BinaryReader, scope: Scope): Extern {
  const sort = reader.byte()
  switch (sort) {
    case 0x01:
      return { sort: 'function', type: pickFunctionType(scope, reader.u32(), reader) }
    case 0x03: {
      const bound = reader.byte()
      if (bound === 0x00) return { sort: 'type', type: pick(scope.types, reader.u32(), reader) }
      if (bound === 0x01) return { sort: 'type', type: { kind: 'resource' } }
      throw unsupported('bounds of types of a new kind')
    }
    case 0x05:
      return { sort: 'instance', type: pickInstanceType(scope, reader.u32(), reader) }
    case 0x00:
      throw unsupported('core modules that are imported or exported')
    case 0x04:
      throw unsupported('components that are imported or exported')
    default:
      throw unsupported('values that are imported or exported')
  }
}
