import type { BinaryReader } from './binary-reader.ts'
import {
  type ComponentType,
  type Extern,
  type FunctionType,
  type InstanceType,
  isValueType,
  type ValueType,
} from './component-type.ts'
import type { CoreModule } from './core-module.ts'
import { Unfit } from './unfit.ts'

/** What one instance of a component takes, with all instances in it. */
export interface Weight {
  coreInstances: number
  memories: number
  memoryPages: number
  largestMemoryPages: number
  tables: number
  tableElements: number
  /** Definitions, and the parts of the types of functions lifted and lowered: what is generated grows with it. */
  work: number
}

/** Nothing yet. */
export function buildWeight(): Weight {
  return {
    coreInstances: 0,
    memories: 0,
    memoryPages: 0,
    largestMemoryPages: 0,
    tables: 0,
    tableElements: 0,
    work: 0,
  }
}

/** A component as those see it that instantiate it. */
export interface DefinedComponent {
  readonly imports: ReadonlyMap<string, Extern>
  readonly exports: ReadonlyMap<string, Extern>
  readonly weight: Readonly<Weight>
}

/** The index spaces of a component, or of the type of an instance, as far as they are read. */
export interface Scope {
  readonly parent: Scope | undefined
  readonly types: ComponentType[]
  readonly functions: FunctionType[]
  readonly instances: InstanceType[]
  readonly components: DefinedComponent[]
  readonly modules: CoreModule[]
  readonly imports: Map<string, Extern>
  readonly exports: Map<string, Extern>
  readonly weight: Weight
}

/** Index spaces without anything in them. */
export function buildScope(parent: Scope | undefined): Scope {
  return {
    parent,
    types: [],
    functions: [],
    instances: [],
    components: [],
    modules: [],
    imports: new Map(),
    exports: new Map(),
    weight: buildWeight(),
  }
}

/** The item of an index space; one that is not there (yet) breaks the component. */
export function pick<T>(space: readonly T[], index: number, reader: BinaryReader): T {
  const found = space[index]
  if (found === undefined) throw reader.broken('it refers to something that is not in it')
  return found
}

/** The type of a value by its index. */
export function pickValueType(scope: Scope, index: number, reader: BinaryReader): ValueType {
  const type = pick(scope.types, index, reader)
  if (!isValueType(type)) throw reader.broken('it uses a type as one of values that is none')
  return type
}

/** The type of a function by its index. */
export function pickFunctionType(scope: Scope, index: number, reader: BinaryReader): FunctionType {
  const type = pick(scope.types, index, reader)
  if (type.kind !== 'function') throw reader.broken('it uses a type as one of functions that is none')
  return type
}

/** The type of an instance by its index. */
export function pickInstanceType(scope: Scope, index: number, reader: BinaryReader): InstanceType {
  const type = pick(scope.types, index, reader)
  if (type.kind !== 'instance') throw reader.broken('it uses a type as one of instances that is none')
  return type
}

/** Gives what has a name its place in the index space of its sort. */
export function addToSpace(scope: Scope, extern: Extern): void {
  switch (extern.sort) {
    case 'function':
      scope.functions.push(extern.type)
      return
    case 'type':
      scope.types.push(extern.type)
      return
    case 'instance':
      scope.instances.push(extern.type)
      return
    default:
      extern satisfies never
  }
}

/** A name that is new among others of its kind. */
export function addName(names: Map<string, Extern>, name: string, extern: Extern, reader: BinaryReader): void {
  if (names.has(name)) throw reader.broken('it has two imports or exports of one name')
  names.set(name, extern)
}

/** A feature of the component model that has no place here. */
export function unsupported(what: string): Unfit {
  return new Unfit('unsupported-feature', `The component uses ${what}, which is not offered here.`)
}
