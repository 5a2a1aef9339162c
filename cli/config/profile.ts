import { dirname, join, relative, resolve } from 'node:path'
import * as v from 'valibot'
import {
  type ClusterId,
  MakiError,
  type NodeName,
  parseClusterId,
  parseNodeName,
  type Runtime,
} from '../../core/index.ts'
import { formatFinding } from './findings.ts'
import { readConfig } from './read-config.ts'
import { refuseRustProfile } from './rust-profile.ts'
import { readToml } from './toml.ts'
import { formatTomlValue } from './toml-format.ts'
import { filled, ip, ipv4, ipv6, parsedBy, port, within } from './values.ts'
import { writeFileAtomically } from './write-file.ts'

/** How this computer reaches one cluster. Public data only: it may be committed. */
export interface Profile {
  /** Absolute path of the file it was read from, or is to be written to. */
  readonly file: string
  readonly cluster: ClusterId
  readonly machines: readonly Machine[]
  /** Absolute; holds the operator's key, the replica and the outbox. */
  readonly dataFolder: string
  /** Lines about unknown keys. */
  readonly warnings: readonly string[]
}

/** A server of the cluster, as the CLI knows it. */
export interface Machine {
  readonly name: NodeName
  /** `user@host`; absent for a node on this computer. */
  readonly sshTarget?: string | undefined
  readonly port?: number | undefined
  /** The pinned host key, as in `known_hosts`: type and base64. */
  readonly hostKey?: string | undefined
  readonly isNameserver: boolean
  readonly wgPublicKey?: string | undefined
  readonly wgAddress?: string | undefined
  /** Degrees. */
  readonly latitude?: number | undefined
  readonly longitude?: number | undefined
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
  /** Read and kept for profiles that have it; any node takes a sync. */
  readonly syncTarget?: boolean | undefined
  /** Absolute path of the control socket of a node on this computer. */
  readonly control?: string | undefined
}

/** The variables that decide where things lie; `process.env` fits. */
export type Environment = Readonly<Record<string, string | undefined>>

const machineSchema = v.object({
  name: parsedBy(parseNodeName),
  ssh_target: v.optional(filled()),
  port: v.optional(port),
  host_key: v.optional(filled(10_000)),
  is_nameserver: v.optional(v.boolean(), false),
  wg_public_key: v.optional(filled()),
  wg_address: v.optional(ip),
  latitude: v.optional(within(-90, 90)),
  longitude: v.optional(within(-180, 180)),
  ipv4: v.optional(ipv4),
  ipv6: v.optional(ipv6),
  sync_target: v.optional(v.boolean()),
  control: v.optional(filled(4096)),
})

const profileSchema = v.object({
  cluster: parsedBy(parseClusterId),
  data: v.optional(filled(4096)),
  machines: v.optional(v.array(machineSchema), []),
})

/** The profile's path: the flag, else MAKIATTO_PROFILE, else `makiatto/default.toml` in the user's configuration. */
export function findProfilePath(flag: string | undefined, env: Environment): string {
  const named = flag ?? present(env.MAKIATTO_PROFILE)
  if (named !== undefined) return resolve(named)
  return join(present(env.XDG_CONFIG_HOME) ?? join(homeOf(env), '.config'), 'makiatto', 'default.toml')
}

/** Where the key, replica and outbox of a cluster lie unless the profile says otherwise. */
export function defaultDataFolder(cluster: ClusterId, env: Environment): string {
  return join(present(env.XDG_DATA_HOME) ?? join(homeOf(env), '.local', 'share'), 'makiatto', cluster)
}

/** Reads a profile. Throws MAKI_CONFIG with all faults of the file, or with the two ways to get one where none is. */
export async function loadProfile(
  path: string,
  env: Environment,
  options: { strict?: boolean | undefined } = {},
): Promise<Profile> {
  const file = resolve(path)
  const document = await readProfileFile(file)
  refuseRustProfile(file, document)
  const { values, findings } = readConfig(profileSchema, document, options)
  const names = new Map<string, number>()
  const machines = Array.isArray(values.machines) ? values.machines : []
  for (const [i, machine] of machines.entries()) {
    const at = ['machines', i]
    if (!findings.isSound(at)) continue
    const first = names.get(machine.name)
    if (first !== undefined)
      findings.fault(
        [...at, 'name'],
        `${machine.name} stands on line ${findings.line(['machines', first, 'name'])} already`,
      )
    names.set(machine.name, first ?? i)
    if (machine.ssh_target === undefined && machine.control === undefined)
      findings.fault(at, `${machine.name} has neither ssh_target nor control, so nothing can reach it`)
    if ((machine.latitude === undefined) !== (machine.longitude === undefined))
      findings.fault(at, `${machine.name} has only one of latitude and longitude`)
  }
  findings.throwFaults()
  return {
    file,
    cluster: values.cluster,
    machines: machines.map((machine) => readMachine(machine, dirname(file))),
    dataFolder:
      values.data === undefined ? defaultDataFolder(values.cluster, env) : resolve(dirname(file), values.data),
    warnings: findings.warnings.map(formatFinding),
  }
}

/**
 * Writes a profile in one step, keeping the mode of the file that is there (a new one is 0644). Paths inside the
 * profile's folder are written relative to it, so that the folder can move. Comments and unknown keys are not kept.
 */
export async function writeProfile(
  profile: Omit<Profile, 'warnings'>,
  env: Environment,
  runtime: Pick<Runtime, 'randomBytes'>,
): Promise<void> {
  await writeFileAtomically(profile.file, formatProfile(profile, env), { mode: 0o644, runtime })
}

/** The text of a profile. */
export function formatProfile(profile: Omit<Profile, 'warnings'>, env: Environment): string {
  const base = dirname(profile.file)
  const top: [string, unknown][] = [['cluster', profile.cluster]]
  if (profile.dataFolder !== defaultDataFolder(profile.cluster, env))
    top.push(['data', shorten(profile.dataFolder, base)])
  const tables = profile.machines.map((machine) => `\n[[machines]]\n${formatPairs(writeMachine(machine, base))}`)
  return `# Written by maki. Public data only: this file may be committed.\n${formatPairs(top)}${tables.join('')}`
}

type MachineTable = v.InferOutput<typeof machineSchema>

function readMachine(table: MachineTable, base: string): Machine {
  const { ssh_target, host_key, is_nameserver, wg_public_key, wg_address, sync_target, control, ...same } = table
  return {
    ...same,
    isNameserver: is_nameserver,
    sshTarget: ssh_target,
    hostKey: host_key,
    wgPublicKey: wg_public_key,
    wgAddress: wg_address,
    syncTarget: sync_target,
    control: control === undefined ? undefined : resolve(base, control),
  }
}

function writeMachine(machine: Machine, base: string): [string, unknown][] {
  return [
    ['name', machine.name],
    ['ssh_target', machine.sshTarget],
    ['port', machine.port],
    ['host_key', machine.hostKey],
    ['is_nameserver', machine.isNameserver],
    ['wg_public_key', machine.wgPublicKey],
    ['wg_address', machine.wgAddress],
    ['latitude', machine.latitude],
    ['longitude', machine.longitude],
    ['ipv4', machine.ipv4],
    ['ipv6', machine.ipv6],
    ['sync_target', machine.syncTarget],
    ['control', machine.control === undefined ? undefined : shorten(machine.control, base)],
  ]
}

const formatPairs = (pairs: readonly [string, unknown][]): string =>
  pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${formatTomlValue(value)}\n`])).join('')

/** Relative where the path lies inside `base`. */
function shorten(path: string, base: string): string {
  const inside = relative(base, path)
  return inside === '' || inside.startsWith('..') ? path : inside
}

/** An empty variable is one that is not set (XDG base directory specification). */
const present = (value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : value

function homeOf(env: Environment): string {
  const home = present(env.HOME)
  if (home !== undefined) return home
  throw new MakiError('MAKI_USAGE', 'there is no home folder to find the profile in: HOME is not set', {
    hint: 'Name the profile with --profile FILE.',
  })
}

async function readProfileFile(file: string) {
  try {
    return await readToml(file)
  } catch (thrown) {
    if (thrown instanceof MakiError) throw thrown
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new MakiError('MAKI_CONFIG', `there is no profile: ${file} was looked for`, {
        cause: thrown,
        hint: 'Start a cluster on this computer with: maki dev\nand, where it runs already, name its profile, in the folder where you started it: export MAKIATTO_PROFILE="$PWD/.makiatto/profile.toml"\n(--profile FILE does so for one command). Set up a server with: maki machine init NAME USER@HOST',
      })
    }
    const why = code === 'EISDIR' ? 'it is a folder' : code === 'EACCES' ? 'you may not read it' : String(thrown)
    throw new MakiError('MAKI_CONFIG', `the profile ${file} cannot be read: ${why}`, {
      cause: thrown,
      hint: 'Name another one with --profile FILE.',
    })
  }
}
