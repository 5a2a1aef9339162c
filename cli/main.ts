import { existsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { isAbsolute, join } from 'node:path'
import type { Host } from './program/host.ts'
import { readPackageInfo } from './program/package-info.ts'

/**
 * Runs `maki`. Resolves with the exit code, which is the caller's to set. What a command line does not need is not
 * loaded: neither the command framework for `--version`, nor other commands for one of them.
 */
export async function runMaki(argv: readonly string[], given?: Host): Promise<number> {
  if (argv[0] === '--version' || argv[0] === '-v') {
    const { version } = readPackageInfo()
    const line = `maki ${version}\n`
    if (given === undefined) process.stdout.write(line)
    else given.stdout.write(line)
    return 0
  }
  const { dispatch } = await import('./program/dispatch.ts')
  if (given !== undefined) return dispatch(argv, given)
  const { createProcessHost } = await import('./program/host.ts')
  using host = createProcessHost()
  return await dispatch(argv, host)
}

/** Compiled modules are kept for the next run, which then starts in half the time. Where that cannot be, it goes on without. */
function cacheCompiledModules(): void {
  const { HOME: home = '', XDG_CACHE_HOME: cache = '' } = process.env
  const anchor = isAbsolute(cache) ? cache : home
  // Only below a folder that is there: Node tries for ever to make one in a place like /proc.
  if (!isAbsolute(anchor) || !existsSync(anchor)) return
  enableCompileCache(join(anchor, anchor === cache ? '' : '.cache', 'makiatto', 'compiled'))
}

/**
 * The first `import` of node:http reads every member of it, and these make Node load all of undici for them: a tenth of the
 * start and 16 MB. No command has a use for them.
 */
function leaveOutWebSockets(): void {
  const http = process.getBuiltinModule('node:http')
  for (const name of ['WebSocket', 'CloseEvent', 'MessageEvent'])
    Object.defineProperty(http, name, { value: undefined })
}

if (import.meta.main) {
  cacheCompiledModules()
  leaveOutWebSockets()
  process.exitCode = await runMaki(process.argv.slice(2))
}
