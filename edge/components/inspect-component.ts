import { BinaryReader } from './binary-reader.ts'
import type { ComponentReport, Inspection } from './component-report.ts'
import { type ComponentLimits, DEFAULT_LIMITS, PAGE_BYTES } from './limits.ts'
import { checkImport } from './offered.ts'
import { readComponent } from './read-component.ts'
import { Unfit } from './unfit.ts'
import { judgeExports, WORLDS } from './world.ts'

/**
 * Whether a component can be run here, and why not: that it is one, of a size that is let in, with no name that could become
 * part of a program; that it imports only what is offered, exports a world with the right types, and uses no feature of
 * WebAssembly that cannot be bounded. Never throws; takes time and memory in proportion to its size at most, whatever
 * the bytes. Nothing of it is run or compiled, so code that is not valid is not found here.
 */
export function inspectComponent(bytes: Uint8Array, limits: Partial<ComponentLimits> = {}): Inspection {
  try {
    return { kind: 'fit', report: readReport(bytes, { ...DEFAULT_LIMITS, ...limits }) }
  } catch (error) {
    if (error instanceof Unfit) return { kind: 'unfit', fault: error.fault }
    throw error
  }
}

function readReport(bytes: Uint8Array, limits: ComponentLimits): ComponentReport {
  checkIsComponent(bytes)
  if (bytes.length > limits.maxSizeBytes)
    throw new Unfit(
      'too-large',
      `The component has ${describeMebibytes(bytes.length)}; ${describeMebibytes(limits.maxSizeBytes)} are the most.`,
    )
  const tally = { coreModules: 0, components: 0 }
  const { imports, exports, weight } = readComponent(new BinaryReader(bytes, { items: 0 }), tally)
  const world = judgeExports(exports)
  for (const [name, extern] of imports) checkImport(name, extern)
  const initialMemoryBytes = weight.memoryPages * PAGE_BYTES
  if (initialMemoryBytes > limits.maxInitialMemoryBytes)
    throw new Unfit(
      'too-much-memory',
      `The component needs ${describeMebibytes(initialMemoryBytes)} of memory from the start; ${describeMebibytes(limits.maxInitialMemoryBytes)} are the most.`,
    )
  return {
    world,
    sizeBytes: bytes.length,
    imports: [...imports.keys()].sort(),
    otherExports: [...exports.keys()].filter((name) => name !== WORLDS[world].interface).sort(),
    coreModules: tally.coreModules,
    coreInstances: weight.coreInstances,
    initialMemoryBytes,
    largestMemoryBytes: weight.largestMemoryPages * PAGE_BYTES,
  }
}

/** Magic, then what tells a module from a component: a version and a layer, of 16 bits each. */
function checkIsComponent(bytes: Uint8Array): void {
  const [a, b, c, d, version, , layer] = bytes
  if (a !== 0x00 || b !== 0x61 || c !== 0x73 || d !== 0x6d || bytes.length < 8) {
    const isText = a === 0x28 || (a === 0x3b && b === 0x3b)
    const isPacked = a === 0x1f && b === 0x8b
    const why = isText ? ': it looks like the text format' : isPacked ? ': it is compressed with gzip' : ''
    throw new Unfit('not-wasm', bytes.length === 0 ? 'The file is empty.' : `The file is not WebAssembly${why}.`)
  }
  if (layer === 0x00 && version === 0x01)
    throw new Unfit('core-module', 'The file is a core module of WebAssembly, not a component.')
  if (layer !== 0x01 || version !== 0x0d)
    throw new Unfit('broken', 'The file is a component of a version of the binary format that is not known here.')
}

function describeMebibytes(bytes: number): string {
  return `${Math.ceil((bytes / 2 ** 20) * 10) / 10} MiB`
}
