import { readdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as v from 'valibot'
import { MakiError } from '../../core/index.ts'
import { syncDirectory } from '../../replication/local/index.ts'
import { type ProgramCheck, programCheck } from '../check-program.ts'
import { plainLine } from '../output/text.ts'
import { BUNDLE_COMMAND, SERVER_PATHS } from './paths.ts'
import { runProgram } from './run-program.ts'

const SHA256 = /^[0-9a-f]{64}$/
/** A program that has not even read its configuration by then does not run here. */
const CHECK_MS = 60_000

/** Throws MAKI_INVALID for what names no version. */
export function parseVersionName(text: string): string {
  if (SHA256.test(text)) return text
  throw new MakiError(
    'MAKI_INVALID',
    `${JSON.stringify(text.slice(0, 80))} names no version: SHA-256 in hexadecimal is expected`,
  )
}

/** The version that `current` leads to. Throws MAKI_NOT_FOUND where none is installed. */
export async function readCurrentVersion(): Promise<string> {
  const target = await readlink(SERVER_PATHS.current).catch(() => '')
  const name = basename(target)
  if (SHA256.test(name)) return name
  throw new MakiError(
    'MAKI_NOT_FOUND',
    `no version is installed on this server: ${SERVER_PATHS.current} leads nowhere`,
    {
      hint: 'Set the server up: maki machine init',
    },
  )
}

/** In one step: whoever looks, also after a power cut, finds the one or the other. */
export async function switchVersion(version: string): Promise<void> {
  const next = `${SERVER_PATHS.current}.next`
  await rm(next, { force: true })
  await symlink(folderOf(version), next)
  await rename(next, SERVER_PATHS.current)
  // Versions are deleted after that.
  await syncDirectory(SERVER_PATHS.root)
}

/**
 * What a version says of itself, after it has read the configuration. Throws MAKI_NOT_FOUND where its folder is not there,
 * MAKI_CONFIG with its own words where it does not run or does not read the configuration.
 */
export async function checkVersion(version: string, config: string = SERVER_PATHS.config): Promise<ProgramCheck> {
  const command = join(folderOf(version), BUNDLE_COMMAND)
  if ((await stat(command).catch(() => undefined))?.isFile() !== true)
    throw new MakiError('MAKI_NOT_FOUND', `version ${version.slice(0, 12)} is not on this server, or not whole`, {
      hint: 'Upload it again.',
    })
  const { code, stdout, stderr } = await runProgram(command, ['check', '--config', config], { timeoutMs: CHECK_MS })
  const said = code === 0 ? v.safeParse(programCheck, parseJson(stdout)) : undefined
  if (said?.success === true) return said.output
  const why = lastLines(stderr === '' ? stdout : stderr) || `it ended with ${code ?? 'a signal'}`
  throw new MakiError('MAKI_CONFIG', `version ${version.slice(0, 12)} cannot run here: ${why}`)
}

/** Deletes what came before the version that runs, but for the one that ran before it. Newer ones may be on their way. */
export async function sweepVersions(running: string, before: string): Promise<readonly string[]> {
  const since = (await stat(folderOf(running))).ctimeMs
  const swept: string[] = []
  for (const name of await readdir(SERVER_PATHS.versions)) {
    if (!SHA256.test(name) || name === running || name === before) continue
    if ((await stat(folderOf(name))).ctimeMs >= since) continue
    await rm(folderOf(name), { recursive: true, force: true })
    swept.push(name)
  }
  return swept
}

const folderOf = (version: string): string => join(SERVER_PATHS.versions, version)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The end of what a program said, as one line. */
export function lastLines(text: string, count = 3): string {
  const lines = text.split('\n').map((line) => plainLine(line.trim()))
  return lines
    .filter((line) => line !== '')
    .slice(-count)
    .join(' / ')
    .slice(-600)
}

/** The folder of the program that a process runs has this in its path. */
export const versionMark = (version: string): string => `/${basename(dirname(folderOf(version)))}/${version}/`
