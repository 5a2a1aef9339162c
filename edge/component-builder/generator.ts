import { registerHooks } from 'node:module'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { GenerateOptions, Transpiled } from '@bytecodealliance/jco-transpile/component'

/** Makes JavaScript and core modules from a component. Throws for what it cannot do; whatever it throws is no fault of ours. */
export type Generate = (component: Uint8Array) => Transpiled

const SHIM = '@bytecodealliance/preview2-shim/'

/**
 * How the glue is made: instantiated at once and not asynchronously, and with every core module a file of its own, since they are
 * compiled once and instantiated for each request. `validLiftingOptimization` would leave out what makes a value that no type allows a
 * trap, and saves nothing that shows.
 */
const OPTIONS: GenerateOptions = {
  name: 'glue',
  noTypescript: true,
  instantiation: { tag: 'sync' },
  map: [],
  base64Cutoff: 0,
  tlaCompat: false,
}

/**
 * Loads the generator: jco's, in WebAssembly, by the one door of its package that needs neither binaryen nor oxc-minify.
 * A bundle may leave these two out, and all of `preview2-shim` and `preview3-shim`, in whose place stands `no-system.ts`.
 */
export async function loadGenerator(): Promise<Generate> {
  const system = pathToFileURL(join(import.meta.dirname, `no-system${extname(import.meta.filename)}`)).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith(SHIM) ? { url: system, shortCircuit: true } : next(specifier, context),
  })
  try {
    const { $init, generate } = await import('@bytecodealliance/jco-transpile/component')
    await $init
    return (component) => generate(component, OPTIONS)
  } finally {
    hooks.deregister()
  }
}
