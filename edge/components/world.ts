import { compareFunctionTypes } from './compare-type.ts'
import type { World } from './component-report.ts'
import {
  buildFunctionType,
  buildValueType,
  type Extern,
  type FunctionType,
  type Primitive,
  type ValueType,
} from './component-type.ts'
import { findInterface } from './names.ts'
import { quoteName, Unfit } from './unfit.ts'

/** What a component of a world exports, and how it is asked. */
export interface WorldExport {
  readonly interface: string
  readonly function: string
  readonly type: FunctionType
}

const plain = (primitive: Primitive): ValueType => buildValueType({ kind: 'primitive', primitive })
const list = (of: ValueType): ValueType => buildValueType({ kind: 'list', of })
const option = (of: ValueType): ValueType => buildValueType({ kind: 'option', of })
const record = (...members: [string, ValueType][]): ValueType => buildValueType({ kind: 'record', members })

const HEADERS = list(buildValueType({ kind: 'tuple', parts: [plain('string'), plain('string')] }))
const BYTES = list(plain('u8'))
const NODE_CONTEXT = record(['name', plain('string')], ['latitude', plain('f64')], ['longitude', plain('f64')])
const METHOD = buildValueType({
  kind: 'enum',
  labels: ['get', 'post', 'put', 'delete', 'patch', 'head', 'options'],
})

/** The worlds as their WIT has them (`wit/`); a test holds one against the other. */
export const WORLDS: Readonly<Record<World, WorldExport>> = {
  http: {
    interface: 'makiatto:http/handler@0.1.0',
    function: 'handle-request',
    type: buildFunctionType({
      parameters: [
        ['ctx', NODE_CONTEXT],
        [
          'req',
          record(
            ['method', METHOD],
            ['path', plain('string')],
            ['query', option(plain('string'))],
            ['headers', HEADERS],
            ['body', option(BYTES)],
          ),
        ],
      ],
      result: record(['status', plain('u16')], ['headers', HEADERS], ['body', option(BYTES)]),
      isAsync: false,
    }),
  },
  transform: {
    interface: 'makiatto:transform/transformer@0.1.0',
    function: 'transform',
    type: buildFunctionType({
      parameters: [
        ['ctx', NODE_CONTEXT],
        ['info', record(['path', plain('string')], ['mime-type', plain('string')], ['size', plain('u64')])],
        ['content', BYTES],
      ],
      result: option(record(['content', BYTES], ['mime-type', option(plain('string'))], ['headers', HEADERS])),
      isAsync: false,
    }),
  },
}

const BOTH: readonly World[] = ['http', 'transform']

/** The one world that a component's exports make it a component of; `Unfit` where it is of none, or not quite. */
export function judgeExports(exports: ReadonlyMap<string, Extern>): World {
  const found = BOTH.filter((world) => exports.has(WORLDS[world].interface))
  if (found.length > 1)
    throw new Unfit(
      'wrong-world',
      'The component exports both worlds; a file is a function or a transform, and not both.',
    )
  const [world] = found
  if (world === undefined) throw describeForeign([...exports.keys()])
  const { interface: name, function: functionName, type } = WORLDS[world]
  const exported = exports.get(name)
  if (exported?.sort !== 'instance')
    throw new Unfit('wrong-world', `The component exports ${name} as something that is no interface.`)
  const called = exported.type.exports.get(functionName)
  if (called?.sort !== 'function')
    throw new Unfit('missing-export', `The component exports ${name} without its function \`${functionName}\`.`)
  const difference = compareFunctionTypes(called.type, type)
  if (difference !== undefined)
    throw new Unfit(
      'wrong-type',
      `The component's \`${functionName}\` of ${name} has another type than the world: ${difference}.`,
    )
  return world
}

function describeForeign(names: readonly string[]): Unfit {
  for (const world of BOTH) {
    const [path] = WORLDS[world].interface.split('@')
    const near = names.find((name) => findInterface(name)?.path === path)
    if (near !== undefined)
      return new Unfit(
        'wrong-world',
        `The component exports ${quoteName(near)}; this version offers ${WORLDS[world].interface}.`,
      )
  }
  const expected = `neither ${WORLDS.http.interface} nor ${WORLDS.transform.interface}`
  if (names.length === 0) return new Unfit('missing-export', `The component exports nothing, ${expected}.`)
  if (names.some((name) => findInterface(name)?.path === 'wasi:http/incoming-handler'))
    return new Unfit(
      'wrong-world',
      `The component is of the world wasi:http/proxy, which is not served yet: it exports ${expected}.`,
    )
  if (names.some((name) => findInterface(name)?.path === 'wasi:cli/run'))
    return new Unfit(
      'wrong-world',
      `The component is a program for a command line (wasi:cli/run): it exports ${expected}.`,
    )
  const shown = names.slice(0, 3).map(quoteName).join(', ')
  return new Unfit(
    'wrong-world',
    `The component exports ${shown}${names.length > 3 ? ` and ${names.length - 3} more` : ''}, but ${expected}.`,
  )
}
