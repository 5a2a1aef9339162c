import { createProcessHost, type Host } from './host.ts'
import { readPackageInfo } from './package-info.ts'

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
  const { dispatch } = await import('./dispatch.ts')
  if (given !== undefined) return dispatch(argv, given)
  using host = createProcessHost()
  return await dispatch(argv, host)
}

if (import.meta.main) process.exitCode = await runMaki(process.argv.slice(2))
