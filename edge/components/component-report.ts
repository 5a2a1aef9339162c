/** What a component exports: it answers requests, or it filters files. */
export type World = 'http' | 'transform'

/** What of a component was found out without running any of it. */
export interface ComponentReport {
  readonly world: World
  readonly sizeBytes: number
  /** Interfaces that it imports, with their versions, sorted: `wasi:cli/environment@0.2.3`. */
  readonly imports: readonly string[]
  /** What it exports beside its world; nobody calls it. Sorted. */
  readonly otherExports: readonly string[]
  /** Core modules in it. Each instance of it holds at least as many instances of modules as `coreInstances`. */
  readonly coreModules: number
  readonly coreInstances: number
  /** What it needs from the start in all its memories, in bytes. */
  readonly initialMemoryBytes: number
  /** What the largest of its memories needs from the start, in bytes: a lower limit cannot run it. */
  readonly largestMemoryBytes: number
}

/** All that can be wrong with a component. */
export const COMPONENT_FAULT_CODES = [
  'not-wasm',
  'core-module',
  'too-large',
  'broken',
  'unsafe-name',
  'wrong-world',
  'missing-export',
  'wrong-type',
  'unknown-import',
  'unsupported-feature',
  'too-much-memory',
  /** Making it ready took too long or too much, or ended the process that did it. */
  'too-costly',
] as const

export type ComponentFaultCode = (typeof COMPONENT_FAULT_CODES)[number]

/** Why a component cannot be run here, in words for whoever built it. */
export interface ComponentFault {
  readonly code: ComponentFaultCode
  readonly message: string
  readonly hint: string
}

export type Inspection =
  | { readonly kind: 'fit'; readonly report: ComponentReport }
  | { readonly kind: 'unfit'; readonly fault: ComponentFault }
