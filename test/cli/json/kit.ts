import * as v from 'valibot'

/** The words of which shapes are made: valibot schemas that also say what they are, so that the page of the docs is written from them. */

export type Schema = v.GenericSchema

export const text = v.string()
export const texts = v.array(text)
export const number = v.number()
export const whole = v.pipe(v.number(), v.integer())
export const yes = v.boolean()
export const any = v.unknown()
export const object = v.strictObject
export const list = <S extends Schema>(of: S) => v.array(of)
export const orNull = <S extends Schema>(of: S) => v.nullable(of)
/** Absent where it does not apply. */
export const maybe = <S extends Schema>(of: S) => v.optional(of)
export const one = <const T extends readonly string[]>(...of: T) => v.picklist(of)
export const map = <S extends Schema>(of: S) => v.record(v.string(), of)

/** A member with what it means. */
export const said = <S extends Schema>(of: S, what: string) => v.pipe(of, v.description(what))

const NAMES = new Map<Schema, string>()

/** A shape that has a name on the page, and is told there once. */
export function named<S extends Schema>(name: string, of: S): S {
  NAMES.set(of, name)
  return of
}

/** How the page writes a shape: close to TypeScript. */
export function formatShape(schema: Schema, options: { own?: boolean; indent?: string } = {}): string {
  const { indent = '' } = options
  const name = NAMES.get(schema)
  if (name !== undefined && options.own !== true) return name
  const part = schema as Schema & Record<string, unknown>
  const inner = (of: unknown): string => formatShape(of as Schema, { indent })
  switch (part.type) {
    case 'string':
    case 'number':
    case 'boolean':
      return part.type
    case 'unknown':
      return 'any'
    case 'literal':
      return JSON.stringify(part.literal)
    case 'picklist':
      return (part.options as unknown[]).map((option) => JSON.stringify(option)).join(' | ')
    case 'nullable':
    case 'nullish':
      return `${inner(part.wrapped)} | null`
    case 'optional':
      return inner(part.wrapped)
    case 'array': {
      const item = inner(part.item)
      return item.includes(' | ') && !item.startsWith('{') ? `(${item})[]` : `${item}[]`
    }
    case 'record':
      return `{ [name]: ${inner(part.value)} }`
    case 'union':
    case 'variant':
      return (part.options as unknown[]).map(inner).join(' | ')
    case 'strict_object':
    case 'loose_object':
      return formatObject(part.entries as Record<string, Schema>, part.type === 'loose_object', indent)
    default:
      throw new Error(`no words for ${String(part.type)}`)
  }
}

function formatObject(entries: Record<string, Schema>, isOpen: boolean, indent: string): string {
  const deeper = `${indent}  `
  const lines = Object.entries(entries).map(([key, of]) => {
    const mark = of.type === 'optional' || of.type === 'nullish' ? '?' : ''
    const what = v.getDescription(of)
    return `${deeper}${key}${mark}: ${formatShape(of, { indent: deeper })}${what === undefined ? '' : `  // ${what}`}`
  })
  if (isOpen) lines.push(`${deeper}…`)
  return `{\n${lines.join('\n')}\n${indent}}`
}

/** Every named shape, in the order in which they were named. */
export const listNamed = (): readonly (readonly [Schema, string])[] => [...NAMES]
