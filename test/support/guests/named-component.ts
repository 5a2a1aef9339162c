import { parse, print } from '@bytecodealliance/jco-transpile/wasm-tools'
import { buildWatGuest, quoteWat } from './build-wat.ts'

/** Names of a component that is fit, by where they stand: each may be replaced by something else. */
export const PLAIN_NAMES = {
  field: 'width',
  variantCase: 'first',
  enumCase: 'red',
  flag: 'bold',
  parameter: 'shape',
  record: 'rectangle',
  variant: 'choice',
  enumType: 'colour',
  flags: 'style',
  resource: 'pen',
  importedFunction: 'get-environment',
  importedInterface: 'wasi:cli/environment@0.2.3',
  coreModule: 'outside',
  coreImport: 'draw',
  coreExport: 'run',
  coreInlineExport: 'inline',
  innerImport: 'given',
  innerExport: 'handed-back',
  otherExport: 'other',
  otherInterface: 'more:things/inside@1.2.3',
  otherFunction: 'again',
  exportedField: 'content',
} as const

/** One of the places where a name stands. */
export type NamePosition = keyof typeof PLAIN_NAMES

/** All of them. */
export const NAME_POSITIONS = Object.keys(PLAIN_NAMES) as NamePosition[]

const blank = buildWatGuest('http-blank').then(print)

/**
 * A component of the http world that also imports and exports other things, so that a name stands in every place where a
 * component can have one and code is generated for each. It is not meant to be run.
 */
export async function buildNamedComponent(names: Partial<Record<NamePosition, string>> = {}): Promise<Uint8Array> {
  const q = (position: NamePosition) => quoteWat(names[position] ?? PLAIN_NAMES[position])
  const more = `
  (import ${q('importedInterface')} (instance $env
    (type $record (record (field ${q('field')} u32)))
    (export ${q('record')} (type $r (eq $record)))
    (type $variant (variant (case ${q('variantCase')} u32) (case "second")))
    (export ${q('variant')} (type $v (eq $variant)))
    (type $enum (enum ${q('enumCase')} "green"))
    (export ${q('enumType')} (type $e (eq $enum)))
    (type $flags (flags ${q('flag')} "italic"))
    (export ${q('flags')} (type $f (eq $flags)))
    (export ${q('resource')} (type $res (sub resource)))
    (type $draw (func (param ${q('parameter')} $r) (param "v" $v) (param "e" $e) (param "f" $f) (param "h" (borrow $res))))
    (export ${q('importedFunction')} (func (type $draw)))))
  (alias export $env ${q('importedFunction')} (func $draw))
  (core func $lowered (canon lower (func $draw)))
  (core module $user
    (import ${q('coreModule')} ${q('coreImport')} (func (param i32 i32 i32 i32 i32 i32)))
    (func (export ${q('coreExport')}) (result i32) (i32.const 0)))
  (core instance $arguments (export ${q('coreImport')} (func $lowered)))
  (core instance $user (instantiate $user (with ${q('coreModule')} (instance $arguments))))
  (core instance $inline (export ${q('coreInlineExport')} (func $user ${q('coreExport')})))
  (func $other (result u32) (canon lift (core func $inline ${q('coreInlineExport')})))
  (component $inner
    (import ${q('innerImport')} (func $given (result u32)))
    (export ${q('innerExport')} (func $given)))
  (instance $inner (instantiate $inner (with ${q('innerImport')} (func $other))))
  (alias export $inner ${q('innerExport')} (func $back))
  (export ${q('otherExport')} (func $back))
  (type $made (record (field ${q('exportedField')} u32)))
  (component $wrapper
    (import "function" (func $function (result u32)))
    (type $made (record (field ${q('exportedField')} u32)))
    (export "made" (type $made))
    (export ${q('otherFunction')} (func $function)))
  (instance $wrapped (instantiate $wrapper (with "function" (func $other))))
  (export ${q('otherInterface')} (instance $wrapped))`
  // Last, since what the other part has is referred to by numbers.
  return await parse((await blank).trimEnd().replace(/\)$/, () => `${more})`))
}
