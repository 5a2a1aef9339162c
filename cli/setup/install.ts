import { lstat, readdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { MakiError } from '../../core/index.ts'
import { checkDaemonConfig, type DaemonConfig, parseToml } from '../config/index.ts'
import { findAccount, placeAccount, refuseForeignAccount } from './account.ts'
import { placeFolder, placePath, requireProgram, textFile } from './change-server.ts'
import { explainFault } from './explain-fault.ts'
import { freePort53 } from './free-port-53.ts'
import { BUNDLE_COMMAND, SERVER_PATHS, SERVICE_USER } from './paths.ts'
import { type InstallResult, installResult, type SetupRequestOf } from './protocol.ts'
import { type StepOutcome, takeStep, type Work } from './server.ts'
import { readSnapshot } from './snapshot.ts'
import { undoChanges } from './undo.ts'
import { CACHE_FOLDER, UNIT_FILE } from './unit-file.ts'
import { lastLines, parseVersionName } from './versions.ts'

type InstallRequest = SetupRequestOf<'install'>

/** A program that does not say its version by then does not run here. */
const START_MS = 60_000
const SYSCTLS: readonly { readonly name: string; readonly least: number; readonly isOfNewKernels?: true }[] = [
  // Datagrams wait in the queue of their socket while edge workers take turns: the usual 208 KiB hold some 250 of them.
  { name: 'net.core.rmem_default', least: 1024 * 1024 },
  // Connections that are still in the queue of a worker that ends go to another one, and are not reset (Linux 5.14).
  { name: 'net.ipv4.tcp_migrate_req', least: 1, isOfNewKernels: true },
]

const DONE = { code: 0, stderr: '' } as const

/** An error, and whether anything of this run is left. */
export class SetupError extends MakiError {
  readonly undone: boolean

  constructor(thrown: unknown, left: readonly string[]) {
    const { code, message, hint } = explainFault(thrown)
    const also = left.length === 0 ? '' : `\nNot put back:\n  ${left.join('\n  ')}`
    super(code, `${message}${also}`, { cause: thrown, ...(hint === undefined ? {} : { hint }) })
    this.undone = left.length === 0
  }
}

/**
 * Makes the server what a node needs, but for the operations that it begins with, and starts nothing. Where a step fails, or
 * nobody waits any more, what this run changed is put back: throws `SetupError` then.
 */
export async function install(work: Work, request: InstallRequest): Promise<InstallResult> {
  const { journal, server } = work
  // What a run left that was cut is undone along with this one.
  const from = journal.isInstalled ? journal.records.length : 0
  try {
    await refuseForeign(work, request)
    const result = await change(work, request)
    work.signal.throwIfAborted()
    await journal.finish()
    return result
  } catch (thrown) {
    const left = await undoChanges(server, journal, from)
    await tidy(work)
    throw new SetupError(thrown, left)
  }
}

/** What stands in the way is told before anything is changed. */
async function refuseForeign(work: Work, { version, config }: InstallRequest): Promise<void> {
  const { server, journal } = work
  const { paths } = server
  parseVersionName(version)
  const wanted = checkDaemonConfig(parseToml(config, SERVER_PATHS.config))
  if (journal.isInstalled) await refuseOtherNode(paths.config, wanted.node)
  const program = join(paths.versions, version, BUNDLE_COMMAND)
  const { code, stderr } = await server.run(program, ['--version'], START_MS)
  if (code !== 0)
    throw new MakiError('MAKI_UNSUPPORTED', `the program does not run on this server: ${lastLines(stderr)}`, {
      hint: 'See that the file system of /opt is not mounted with noexec, and that the bundle is for this processor.',
    })
  await refuseForeignAccount(work)
  for (const path of [paths.unit, paths.command]) {
    const found = await readSnapshot(path)
    const isOurs = journal.records.some((record) => record.kind === 'path' && record.path === path)
    const isLink = found.is === 'link' && found.target.startsWith(`${SERVER_PATHS.root}/`)
    if (found.is === 'absent' || isOurs || isLink) continue
    throw new MakiError('MAKI_CONFLICT', `${path} is there, and was not made by this setup`, {
      hint: 'Another Makiatto may be installed here. Look at it, and move it away.',
    })
  }
}

/** Set up between our look and now, as the node of somebody else, it is not made one of ours as well. */
async function refuseOtherNode(path: string, wanted: NodeIdentity): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const present = text === undefined ? undefined : readIdentity(text)
  if (present === undefined || (present.name === wanted.name && present.cluster === wanted.cluster)) return
  throw new MakiError(
    'MAKI_CONFLICT',
    `somebody else has set this server up: it is ${present.name}, of the cluster ${present.cluster ?? 'that its configuration does not name'}`,
    { hint: 'Ask whose it is; where it may be taken, set it up anew: --recreate' },
  )
}

type NodeIdentity = Pick<DaemonConfig['node'], 'name' | 'cluster'>

/** Undefined where the owner's edits cannot be read: the daemon says what is wrong with them. */
function readIdentity(text: string): NodeIdentity | undefined {
  try {
    return checkDaemonConfig(parseToml(text, SERVER_PATHS.config)).node
  } catch {
    return undefined
  }
}

async function change(work: Work, request: InstallRequest): Promise<InstallResult> {
  const { server } = work
  const { paths } = server
  await takeStep(work, 'User makiatto', () => placeAccount(work, request.users))
  const account = await findAccount(server)
  if (account === undefined) throw new MakiError('MAKI_INTERNAL', `the user ${SERVICE_USER} was made, and is not there`)
  const { uid, gid } = account
  await takeStep(work, 'Folders', async () => {
    const made = [
      await placeFolder(work, paths.configFolder, { mode: 0o755, owned: true }),
      await placeFolder(work, paths.data, { mode: 0o700, uid, gid, owned: true }),
    ]
    // Made by systemd at the first start; one that is there before is not ours to delete.
    const cache = server.at(CACHE_FOLDER)
    if ((await lstat(cache).catch(() => undefined)) === undefined)
      await work.journal.record({ kind: 'folder', path: cache, owned: true })
    return made.includes(true) ? undefined : { same: 'they are there' }
  })
  await takeStep(work, 'Configuration', () => placeConfig(work, request.config, gid))
  await takeStep(work, 'Program', async () => {
    const current = await readSnapshot(paths.current)
    // Which version runs is changed by an upgrade alone.
    if (current.is === 'link' && work.journal.isInstalled) return { same: 'it is there' }
    const target = join(SERVER_PATHS.versions, request.version)
    const isNew = await placePath(work, paths.current, { is: 'link', target }, { owned: true })
    const command = join(SERVER_PATHS.current, BUNDLE_COMMAND)
    await placePath(work, paths.command, { is: 'link', target: command }, { owned: true })
    return isNew ? undefined : { same: 'it is there' }
  })
  let keys: MadeKeys = { key: '' }
  let known = false
  await takeStep(work, 'Node key', async () => {
    known = (await lstat(join(paths.data, 'keys', 'node.key')).catch(() => undefined)) !== undefined
    const program = join(paths.versions, request.version, BUNDLE_COMMAND)
    // As the user whose folder it is: nothing in there leads the superuser astray.
    const args = ['-u', SERVICE_USER, '--', program, 'keygen', '--json', '--config', paths.config]
    keys = parseKeys(await requireProgram(server, 'runuser', args, { timeoutMs: START_MS }))
    return known ? { same: 'it has one' } : undefined
  })
  await takeStep(work, 'Kernel settings', () => placeSysctls(work))
  if (request.freePort53) await takeStep(work, 'Port 53', () => freePort53(work))
  await takeStep(work, 'Service', () => placeUnit(work))
  return { ...keys, known }
}

const madeKeys = v.omit(installResult, ['known'])
type MadeKeys = v.InferOutput<typeof madeKeys>

/** Public keys, as `makiatto keygen --json` prints them. */
function parseKeys(text: string): MadeKeys {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), madeKeys), text)
  if (parsed.success) return parsed.output
  throw new MakiError('MAKI_INTERNAL', 'the program does not tell the keys that it made', {
    hint: 'See that the bundle is whole: maki machine init brings it again.',
  })
}

/** A configuration that is there stays as its owner has it. */
async function placeConfig(work: Work, config: string, gid: number): Promise<StepOutcome> {
  const { paths } = work.server
  const present = await readSnapshot(paths.config)
  if (present.is === 'file' && work.journal.isInstalled) return { same: `${SERVER_PATHS.config} stays as it is` }
  const isNew = await placePath(work, paths.config, textFile(config, { mode: 0o640, gid }), { owned: true })
  return isNew ? undefined : { same: 'it is so already' }
}

/** A server that does not let them be set works all the same. */
async function placeSysctls(work: Work): Promise<StepOutcome> {
  const { server, journal } = work
  const faults: string[] = []
  const lines: string[] = []
  let isNew = false
  for (const { name, least, isOfNewKernels } of SYSCTLS) {
    const before = (await server.run('sysctl', ['-n', name])).stdout.trim()
    const isKnown = /^\d+$/.test(before)
    if (!isKnown && isOfNewKernels === true) continue
    const isEnough = isKnown && Number(before) >= least
    // A run that was cut may have set it, and not come to what sets it at the next boot.
    if (isEnough && !journal.has({ kind: 'sysctl', name, before })) continue
    if (isKnown) await journal.record({ kind: 'sysctl', name, before })
    const { code, stderr } = isEnough ? DONE : await server.run('sysctl', ['-q', '-w', `${name}=${least}`])
    if (code === 0) lines.push(`${name} = ${least}\n`)
    else faults.push(`${name}: ${lastLines(stderr, 1)}`)
    isNew ||= !isEnough
  }
  if (lines.length > 0) {
    const text = `# Written by maki machine init.\n${lines.join('')}`
    isNew = (await placePath(work, server.paths.sysctl, textFile(text), { owned: true })) || isNew
  }
  if (faults.length > 0) return { warned: `the kernel does not let them be set here: ${faults.join('; ')}` }
  return isNew ? undefined : { same: 'they are so already' }
}

async function placeUnit(work: Work): Promise<StepOutcome> {
  const { server, journal } = work
  await journal.record({ kind: 'reload' })
  const isNew = await placePath(work, server.paths.unit, textFile(UNIT_FILE), { owned: true })
  await requireProgram(server, 'systemctl', ['daemon-reload'])
  return isNew ? undefined : { same: 'it is there' }
}

/** Folders that setup made for itself go when nothing is in them any more. */
async function tidy({ server, journal }: Work): Promise<void> {
  if (journal.isThere) return
  for (const folder of [server.paths.incoming, server.paths.versions, server.paths.root]) {
    if ((await readdir(folder).catch(() => ['unknown'])).length === 0) await rmdir(folder).catch(() => {})
  }
}
