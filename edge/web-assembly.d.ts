/**
 * What is used of WebAssembly's JavaScript interface (https://webassembly.github.io/spec/js-api/): TypeScript knows it only
 * as a part of browsers.
 */
declare namespace WebAssembly {
  type ExternKind = 'function' | 'table' | 'memory' | 'global' | 'tag'
  type ImportModule = Record<string, unknown>
  type Imports = Record<string, ImportModule>
  type Exports = Record<string, unknown>

  class Module {
    constructor(bytes: NodeJS.ArrayBufferView | ArrayBuffer)
    static imports(module: Module): { module: string; name: string; kind: ExternKind }[]
    static exports(module: Module): { name: string; kind: ExternKind }[]
    static customSections(module: Module, name: string): ArrayBuffer[]
  }

  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Exports
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }

  class Table {
    constructor(descriptor: { element: 'anyfunc' | 'externref'; initial: number; maximum?: number }, value?: unknown)
    readonly length: number
    get(index: number): unknown
    set(index: number, value?: unknown): void
    grow(by: number, value?: unknown): number
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function validate(bytes: NodeJS.ArrayBufferView | ArrayBuffer): boolean
  function compile(bytes: NodeJS.ArrayBufferView | ArrayBuffer): Promise<Module>
}
