import { readFileSync } from 'node:fs'
import { componentEmbed, componentNew, parse, print } from '@bytecodealliance/jco-transpile/wasm-tools'

const here = (path: string) => new URL(path, import.meta.url)
const built = new Map<string, Promise<Uint8Array>>()

/** More that a guest's world has than the export: `imports` are lines of a world, `packages` are what those name. */
export interface WorldExtras {
  /** `import wasi:cli/stdout@0.2.3;` */
  readonly imports: string
  /** `package wasi:io@0.2.3 { interface streams { … } }`, one after the other. */
  readonly packages: string
}

/**
 * A component from text, made once in a process. Without a world the text is a component's; with one it is that of a core
 * module which exports the world's function by its canonical name (`makiatto:http/handler@0.1.0#handle-request`), a memory
 * named `memory` and `cabi_realloc`, and imports what `extras` adds by canonical names.
 */
export function buildComponent(wat: string, world?: 'http' | 'transform', extras?: WorldExtras): Promise<Uint8Array> {
  const key = JSON.stringify([wat, world, extras])
  const found = built.get(key)
  if (found !== undefined) return found
  const building = world === undefined ? parse(wat) : wrap(wat, world, extras)
  built.set(key, building)
  return building
}

/** A guest of `wat/`, by its name: `http-echo`. What stands before `--` in a file's name is the world. */
export async function buildWatGuest(name: GuestName): Promise<Uint8Array> {
  const world = name.startsWith('transform-') ? 'transform' : 'http'
  return await buildComponent(readGuestText(name), world)
}

/** The text of a guest of `wat/`, which is a core module's; `;;; prelude` in it is replaced by the text of that file. */
export function readGuestText(name: string): string {
  const prelude = readFileSync(here('wat/prelude.wat'), 'utf8')
  return readFileSync(here(`wat/${name}.wat`), 'utf8').replace(';;; prelude', () => prelude)
}

/** The WIT of a world, with its package written as a block, so that others can stand beside it in one text. */
function readWorld(world: 'http' | 'transform'): string {
  const wit = readFileSync(here(`../../../edge/components/wit/${world}.wit`), 'utf8')
  return `${wit.replace(/^package (.*);$/m, 'package $1 {')}\n}`
}

const EXPORTED = { http: 'makiatto:http/handler@0.1.0', transform: 'makiatto:transform/transformer@0.1.0' }

async function wrap(wat: string, world: 'http' | 'transform', extras?: WorldExtras): Promise<Uint8Array> {
  const guest = `world guest {\n${extras?.imports ?? ''}\nexport ${EXPORTED[world]};\n}`
  const witSource = ['package test:guests;', guest, readWorld(world), extras?.packages ?? ''].join('\n')
  const embedded = await componentEmbed({ binary: await parse(wat), witSource, world: 'guest' })
  return await componentNew(embedded)
}

/** Guests that lie in `wat/` and are core modules of a world. */
export const GUESTS = [
  'http-echo',
  'http-blank',
  'http-spin',
  'http-recurse',
  'http-grow-until-fail',
  'http-grow-or-trap',
  'http-table-bomb',
  'http-gc-bomb',
  'http-gc-huge',
  'http-amplify-headers',
  'http-amplify-body',
  'http-trap-on-start',
  'http-spin-on-start',
  'http-trap',
  'transform-append',
  'transform-none',
  'transform-trap',
  'transform-amplify-headers',
] as const

/** One of `GUESTS`. */
export type GuestName = (typeof GUESTS)[number]

/** Where a hostile name stands in `buildInjection`. */
export type Injection = 'core-export' | 'import-module' | 'import-field'

/** Names that, pasted unescaped, become JavaScript which leaves a mark (`globalThis.PWNED`) in the process that evaluates it. */
export const EVIL_NAMES: Readonly<Record<Injection, string>> = {
  'core-export': "x'];globalThis.PWNED=1;//",
  'import-module': "x':(globalThis.PWNED=1),'y",
  'import-field': "x':(globalThis.PWNED=1),'y",
}

/** A component of the http world, right in all else, with a name that becomes JavaScript where names are pasted into it. */
export async function buildInjection(where: Injection, name = EVIL_NAMES[where]): Promise<Uint8Array> {
  const text = await print(await buildWatGuest('http-blank'))
  const quoted = quoteWat(name)
  if (where === 'core-export')
    return await parse(text.replaceAll('"makiatto:http/handler@0.1.0#handle-request" (', () => `${quoted} (`))
  const [module, field] = where === 'import-module' ? [quoted, '"f"'] : ['"a"', quoted]
  const pair = `(core module $from (func (export "f")))
    (core module $to (import ${module} ${field} (func)))
    (core instance $from (instantiate $from))
    (core instance $given (export ${field} (func $from "f")))
    (core instance (instantiate $to (with ${module} (instance $given))))`
  return await parse(text.replace('(component', () => `(component ${pair}`))
}

/** A component of any world, by its WIT: it has the types of that world and imports all of it, and traps when it is called. */
export async function buildDummy(witSource: string, world: string): Promise<Uint8Array> {
  return await componentNew(await componentEmbed({ dummy: true, witSource, world }))
}

/** A string of WAT with any character in it. */
export function quoteWat(text: string): string {
  const write = (byte: number) => {
    const character = String.fromCharCode(byte)
    return /[A-Za-z0-9 .:/@#_-]/.test(character) ? character : `\\${byte.toString(16).padStart(2, '0')}`
  }
  return `"${[...new TextEncoder().encode(text)].map(write).join('')}"`
}
