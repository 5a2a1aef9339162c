/** What a component exports: it answers requests, or it filters files. */
export type World = 'http' | 'transform'

/** What of a component was found out without running any of it. */
export interface ComponentReport {
  readonly world: World
  readonly sizeBytes: number
  /** Interfaces that it imports, with their versions, sorted: `wasi:cli/environment@0.2.3`. */
  readonly imports: readonly string[]
  /** What it needs from the start in all its memories, in bytes. */
  readonly initialMemoryBytes: number
}

export type ComponentFaultCode =
  | 'not-wasm'
  | 'core-module'
  | 'too-large'
  | 'broken'
  | 'unsafe-name'
  | 'wrong-world'
  | 'missing-export'
  | 'wrong-type'
  | 'unknown-import'
  | 'unsupported-feature'
  | 'too-much-memory'

/** Why a component cannot be run here, in words for whoever built it. */
export interface ComponentFault {
  readonly code: ComponentFaultCode
  readonly message: string
  readonly hint: string
}

export type Inspection =
  | { readonly kind: 'fit'; readonly report: ComponentReport }
  | { readonly kind: 'unfit'; readonly fault: ComponentFault }
