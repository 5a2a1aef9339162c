import { findInterface } from './names.ts'
import { quoteName, Unfit } from './unfit.ts'

/**
 * Interfaces of WASI that a component may import, at any version 0.2.x, without the version. Those of `wasi:sockets` for
 * UDP are there because standard libraries import them; no UDP socket can be made.
 */
export const OFFERED: ReadonlySet<string> = new Set([
  'wasi:cli/environment',
  'wasi:cli/exit',
  'wasi:cli/stderr',
  'wasi:cli/stdin',
  'wasi:cli/stdout',
  'wasi:cli/terminal-input',
  'wasi:cli/terminal-output',
  'wasi:cli/terminal-stderr',
  'wasi:cli/terminal-stdin',
  'wasi:cli/terminal-stdout',
  'wasi:clocks/monotonic-clock',
  'wasi:clocks/wall-clock',
  'wasi:filesystem/preopens',
  'wasi:filesystem/types',
  'wasi:http/outgoing-handler',
  'wasi:http/types',
  'wasi:io/error',
  'wasi:io/poll',
  'wasi:io/streams',
  'wasi:random/insecure',
  'wasi:random/insecure-seed',
  'wasi:random/random',
  'wasi:sockets/instance-network',
  'wasi:sockets/ip-name-lookup',
  'wasi:sockets/network',
  'wasi:sockets/tcp',
  'wasi:sockets/tcp-create-socket',
  'wasi:sockets/udp',
  'wasi:sockets/udp-create-socket',
])

/** An import of the whole component. Its `sort` is `instance` where it is one of an interface. */
export function checkImport(name: string, sort: string): void {
  const found = findInterface(name)
  if (found === undefined || sort !== 'instance')
    throw new Unfit(
      'unknown-import',
      `The component imports ${quoteName(name)}, a ${sort} of its own world: only interfaces of WASI 0.2 can be imported.`,
    )
  const { path, version } = found
  if (OFFERED.has(path)) {
    if (version !== undefined && /^0\.2\.\d+$/.test(version)) return
    throw new Unfit(
      'unknown-import',
      `The component imports ${quoteName(name)}; ${path} is offered at versions 0.2.0 and later of 0.2 only.`,
      'Build it with a toolchain for WASI 0.2 (wasm32-wasip2), or with an adapter to it.',
    )
  }
  if (path === 'wasi:http/incoming-handler')
    throw new Unfit(
      'unknown-import',
      `The component imports ${quoteName(name)}: it would have requests answered by another component, and there is none.`,
    )
  const known = [...OFFERED].filter((offered) => offered.split('/')[0] === path.split('/')[0])
  const hint =
    known.length === 0
      ? `Interfaces of these packages are offered: ${offeredPackages().join(', ')}.`
      : `Of this package these are offered: ${known.join(', ')}.`
  throw new Unfit('unknown-import', `The component imports ${quoteName(name)}, which is not offered here.`, hint)
}

function offeredPackages(): string[] {
  return [...new Set([...OFFERED].map((path) => path.split('/')[0] as string))]
}
