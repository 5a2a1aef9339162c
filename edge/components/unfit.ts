import type { ComponentFault, ComponentFaultCode } from './component-report.ts'

const HINTS: Readonly<Record<ComponentFaultCode, string>> = {
  'not-wasm': 'Give the .wasm file that your build made, as it is: not compressed, and no text format.',
  'core-module':
    'Make a component of it: build for the target wasm32-wasip2, or run `wasm-tools component new` on a module that was built with the WIT.',
  'too-large': 'Build it for release, with optimisation for size, and strip what is for debugging: `wasm-tools strip`.',
  broken: 'Build it again, and compare what was uploaded with it; `wasm-tools validate` names the place.',
  'unsafe-name': 'Rename it, and build again. Compilers do not make such names by themselves.',
  'wrong-world': 'Get the WIT with `maki wasm fetch`, and build for the world `http` or `transform`.',
  'missing-export': 'Get the WIT with `maki wasm fetch`, and export all that its world exports.',
  'wrong-type': 'Get the WIT with `maki wasm fetch`, generate the bindings again and build again.',
  'unknown-import': 'Remove the import from your WIT world, and what uses it from your code.',
  'unsupported-feature': 'Switch it off in your compiler, and build again.',
  'too-much-memory': 'Build it with a smaller memory at the start, or raise max_memory_mb.',
  'too-costly': 'Build it smaller: for release, with optimisation for size, and without what is for debugging.',
}

/** A component, or a module of it, that is not run here. Thrown inside this folder. */
export class Unfit extends Error {
  override readonly name = 'Unfit'
  readonly fault: ComponentFault

  constructor(code: ComponentFaultCode, message: string, hint = HINTS[code]) {
    super(message)
    this.fault = { code, message, hint }
  }
}

/** A name from a stranger, short and in quotes: nothing in it leaves them or moves a cursor. */
export function quoteName(name: string): string {
  const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name
  return JSON.stringify(shown).replace(
    /[^\x20-\x7e…]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
