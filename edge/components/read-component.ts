import type { BinaryReader } from './binary-reader.ts'
import {
  addName,
  addToSpace,
  buildScope,
  type DefinedComponent,
  pick,
  type Scope,
  unsupported,
} from './component-scope.ts'
import type { Extern, InstanceType } from './component-type.ts'
import { readCoreModule } from './core-module.ts'
import { MOST } from './limits.ts'
import { checkCoreName, checkExternName } from './names.ts'
import { readCanon } from './read-canon.ts'
import {
  readExternName,
  readExternType,
  readInstanceExport,
  readOptional,
  readOuterScope,
  readOuterType,
  readType,
} from './read-type.ts'
import { Unfit } from './unfit.ts'
import { addModule, addWeight, checkWeight } from './weigh.ts'

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]

/** How many there are of what is large, over all components within a component. */
export interface Tally {
  coreModules: number
  components: number
}

/**
 * Reads a component and all that is in it, in one pass over its bytes: every name is checked, every type has in place what it
 * refers to, and what its instances take is added up. It is not validated: indices into core instances, the types of core
 * functions and code are left to who compiles it.
 */
export function readComponent(
  reader: BinaryReader,
  tally: Tally,
  parent: Scope | undefined = undefined,
  depth = 0,
): DefinedComponent {
  if (depth > MOST.nesting) throw unsupported(`components that are nested deeper than ${MOST.nesting}`)
  tally.components += 1
  if (tally.components > MOST.components)
    throw new Unfit('too-large', `The component has more than ${MOST.components} components in it.`)
  for (const byte of PREAMBLE)
    if (reader.byte() !== byte) throw reader.broken('a component in it does not begin as one')
  const scope = buildScope(parent)
  while (!reader.isAtEnd) {
    const [id, section] = reader.section()
    readSection(id, section, scope, tally, depth)
  }
  checkWeight(scope.weight)
  return { imports: scope.imports, exports: scope.exports, weight: scope.weight }
}

function readSection(id: number, section: BinaryReader, scope: Scope, tally: Tally, depth: number): void {
  switch (id) {
    case 0:
      section.name()
      return
    case 1:
      tally.coreModules += 1
      if (tally.coreModules > MOST.coreModules)
        throw new Unfit('too-large', `The component has more than ${MOST.coreModules} core modules in it.`)
      scope.modules.push(readCoreModule(section))
      return
    case 2:
      eachItem(section, scope, () => readCoreInstance(section, scope))
      break
    case 3:
      throw unsupported('types of core modules')
    case 4:
      scope.components.push(readComponent(section, tally, scope, depth + 1))
      return
    case 5:
      eachItem(section, scope, () => scope.instances.push(readInstance(section, scope)))
      break
    case 6:
      eachItem(section, scope, () => readAlias(section, scope))
      break
    case 7:
      eachItem(section, scope, () => scope.types.push(readType(section, scope, 0)))
      break
    case 8:
      eachItem(section, scope, () => readCanon(section, scope))
      break
    case 10:
      eachItem(section, scope, () => readImport(section, scope))
      break
    case 11:
      eachItem(section, scope, () => readExport(section, scope))
      break
    case 9:
    case 12:
      throw unsupported('values and a start function of components')
    default:
      throw section.broken(`it has an unknown section ${id}`)
  }
  section.mustBeAtEnd()
}

/** Reads all definitions of a section, and counts them as work for each instance of their component. */
function eachItem(section: BinaryReader, scope: Scope, read: () => void): void {
  const items = section.list(read)
  scope.weight.work += items.length
}

function readCoreInstance(reader: BinaryReader, scope: Scope): void {
  const code = reader.byte()
  if (code === 0x00) {
    addModule(scope.weight, pick(scope.modules, reader.u32(), reader))
    reader.list(() => {
      checkCoreName(reader.name(), 'an argument of a core module')
      if (reader.byte() !== 0x12) throw reader.broken('an argument of a core module is no instance')
      reader.u32()
    })
  } else if (code === 0x01)
    reader.list(() => {
      checkCoreName(reader.name(), 'a core export')
      const sort = reader.byte()
      if (sort === 0x04) throw unsupported('exceptions (a tag)')
      if (sort > 0x03) throw unsupported('core exports of a new kind')
      reader.u32()
    })
  else throw reader.broken('it makes a core instance in an unknown way')
}

function readInstance(reader: BinaryReader, scope: Scope): InstanceType {
  const code = reader.byte()
  if (code === 0x00) {
    const component = pick(scope.components, reader.u32(), reader)
    addWeight(scope.weight, component.weight)
    const given = new Set<string>()
    reader.list(() => {
      given.add(checkExternName(reader.name(), 'an argument of a component'))
      readSorted(reader, scope)
    })
    for (const name of component.imports.keys())
      if (!given.has(name)) throw reader.broken('a component in it is not given all that it imports')
    return { kind: 'instance', exports: component.exports }
  }
  if (code !== 0x01) throw reader.broken('it makes an instance in an unknown way')
  const exports = new Map<string, Extern>()
  reader.list(() => {
    const name = readExternName(reader, 'an export of an instance')
    addName(exports, name, readSorted(reader, scope), reader)
  })
  return { kind: 'instance', exports }
}

/** `sortidx`: something of this scope. */
function readSorted(reader: BinaryReader, scope: Scope): Extern {
  const sort = reader.byte()
  switch (sort) {
    case 0x01:
      return { sort: 'function', type: pick(scope.functions, reader.u32(), reader) }
    case 0x03:
      return { sort: 'type', type: pick(scope.types, reader.u32(), reader) }
    case 0x05:
      return { sort: 'instance', type: pick(scope.instances, reader.u32(), reader) }
    default:
      throw unsupported('components, core modules or values that are handed on')
  }
}

function readAlias(reader: BinaryReader, scope: Scope): void {
  const sort = reader.byte()
  const coreSort = sort === 0x00 ? reader.byte() : undefined
  const target = reader.byte()
  if (target === 0x01 && coreSort !== undefined) {
    if (coreSort === 0x04) throw unsupported('exceptions (a tag)')
    if (coreSort > 0x04) throw unsupported('aliases of core modules or types')
    reader.u32()
    checkCoreName(reader.name(), 'an alias of a core export')
  } else if (target === 0x00 && sort === 0x01) addToSpace(scope, readInstanceExport(reader, scope, 'function'))
  else if (target === 0x00 && sort === 0x03) addToSpace(scope, readInstanceExport(reader, scope, 'type'))
  else if (target === 0x00 && sort === 0x05) addToSpace(scope, readInstanceExport(reader, scope, 'instance'))
  else if (target === 0x02 && sort === 0x03) scope.types.push(readOuterType(reader, scope))
  else if (target === 0x02 && sort === 0x04)
    scope.components.push(pick(readOuterScope(reader, scope).components, reader.u32(), reader))
  else if (target === 0x02 && coreSort === 0x11)
    scope.modules.push(pick(readOuterScope(reader, scope).modules, reader.u32(), reader))
  else throw unsupported('an alias of a new kind')
}

function readImport(reader: BinaryReader, scope: Scope): void {
  const name = readExternName(reader, 'an import')
  const extern = readExternType(reader, scope)
  addName(scope.imports, name, extern, reader)
  addToSpace(scope, extern)
}

function readExport(reader: BinaryReader, scope: Scope): void {
  const name = readExternName(reader, 'an export')
  const extern = readSorted(reader, scope)
  const seenAs = readOptional(reader, () => readExternType(reader, scope)) ?? extern
  if (seenAs.sort !== extern.sort) throw reader.broken('it exports something as what it is not')
  addName(scope.exports, name, seenAs, reader)
  addToSpace(scope, seenAs)
}
