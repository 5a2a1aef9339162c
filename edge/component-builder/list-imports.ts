import * as vm from 'node:vm'

/**
 * What a module imports, as V8 reads it; throws a SyntaxError for text that is no module. Nothing of it is run. Only in a
 * process with `--experimental-vm-modules`.
 */
export function listImports(text: string): string[] {
  return new vm.SourceTextModule(text).moduleRequests.map(({ specifier }) => specifier)
}
