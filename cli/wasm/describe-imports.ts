/** What an interface of WASI gives to a component here. */
export interface ImportLine {
  /** As the component names it, with its version. */
  readonly name: string
  readonly gives: string
}

const GIVES: readonly (readonly [prefix: string, gives: string])[] = [
  ['wasi:cli/environment', 'env and env_file of makiatto.toml; no arguments'],
  ['wasi:cli/exit', 'may end its own run'],
  ['wasi:cli/stdin', 'nothing: it is empty'],
  ['wasi:cli/stdout', 'the log of the node: maki logs'],
  ['wasi:cli/stderr', 'the log of the node: maki logs'],
  ['wasi:cli/terminal-', 'nothing: there is no terminal'],
  ['wasi:clocks/', 'the time'],
  ['wasi:filesystem/', 'the files of its site as /, to be read'],
  ['wasi:http/', 'HTTP requests to public addresses'],
  ['wasi:io/', 'what the others need'],
  ['wasi:random/', 'random numbers'],
  ['wasi:sockets/udp', 'nothing: every call is refused'],
  ['wasi:sockets/ip-name-lookup', 'addresses of host names'],
  ['wasi:sockets/', 'TCP connections to public addresses'],
]

/** What a component gets by what it imports, in words. Pure. */
export function describeImports(imports: readonly string[]): readonly ImportLine[] {
  return imports.map((name) => {
    const gives = GIVES.find(([prefix]) => name.startsWith(prefix))?.[1]
    return { name, gives: gives ?? 'what its documentation says' }
  })
}
