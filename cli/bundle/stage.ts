import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { copyFile, cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import type { BundleArch } from './bundle.ts'
import type { Sources } from './sources.ts'

/**
 * Brings the packages of the lock file for a server with this processor, whatever this computer is: npm compares each with
 * the integrity that the lock file has, and runs no script of any. Throws MAKI_UNREACHABLE with npm's words where it cannot.
 */
export async function stagePackages(
  sources: Sources,
  arch: BundleArch,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  await copyFile(join(sources.root, 'package.json'), join(folder, 'package.json'))
  await copyFile(sources.lockFile, join(folder, 'package-lock.json'))
  const platform = ['--os=linux', `--cpu=${arch}`, '--libc=glibc']
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline', '--fetch-retries=1']
  const args = ['ci', '--ignore-scripts', '--omit=dev', '--include=optional', ...platform, ...quiet]
  const npm = process.env.npm_execpath
  const [command, ...first] = npm?.endsWith('.js') === true ? [process.execPath, npm] : ['npm']
  await run(command as string, [...first, ...args], folder, signal, 'npm fetches the packages')
}

/** The program as JavaScript: compiled in a checkout, copied out of an installed package. */
export async function stageProgram(sources: Sources, folder: string, signal: AbortSignal): Promise<void> {
  const target = join(folder, 'dist')
  if (sources.compiled !== undefined) return await cp(sources.compiled, target, { recursive: true })
  const build = join(sources.root, 'cli', 'bin', 'build.mjs')
  await run(process.execPath, [build, target], sources.root, signal, 'the program is compiled')
}

/** The plain files below a folder, relative to it. */
export const listFiles = (folder: string): string[] =>
  globSync('**/*', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal,
  what: string,
): Promise<void> {
  signal.throwIfAborted()
  const env = { ...process.env, NODE_ENV: '' }
  const child = spawn(command, args, { cwd, env, signal, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-4000)
    })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) => {
      if (signal.aborted) return reject(signal.reason)
      const hint = 'Install npm, or bring a bundle that was made elsewhere: --binary-path FILE'
      reject(new MakiError('MAKI_UNSUPPORTED', `${command} does not start: ${cause.message}`, { cause, hint }))
    })
    child.once('close', resolve)
  })
  if (code === 0) return
  signal.throwIfAborted()
  throw new MakiError('MAKI_UNREACHABLE', `no bundle can be made, since ${what} and fails:\n${said.trim()}`, {
    hint: 'Connect this computer, then run the command again; or bring a bundle that was made elsewhere: --binary-path FILE',
  })
}
