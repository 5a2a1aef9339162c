import { listNodes, MakiError, type NodeView, type State } from '../../core/index.ts'
import { findNearest, type Machine, type Profile } from '../config/index.ts'

/** A machine by what is known of it: an entry of the profile, a node of the cluster, or both. */
export interface NamedMachine {
  readonly name: string
  readonly machine: Machine | undefined
  readonly node: NodeView | undefined
}

/** Every machine of the profile and every node of the cluster, by name. Pure. */
export function listMachines(profile: Pick<Profile, 'machines'>, state: State): readonly NamedMachine[] {
  const nodes = new Map<string, NodeView>(listNodes(state).map((node) => [node.name, node]))
  const machines = new Map<string, Machine>(profile.machines.map((machine) => [machine.name, machine]))
  return [...new Set([...nodes.keys(), ...machines.keys()])]
    .sort()
    .map((name) => ({ name, machine: machines.get(name), node: nodes.get(name) }))
}

/** The one that is called so. Throws MAKI_NOT_FOUND with the nearest name. */
export function requireMachine(machines: readonly NamedMachine[], typed: string): NamedMachine {
  const found = machines.find(({ name }) => name === typed.toLowerCase())
  if (found !== undefined) return found
  const names = machines.map(({ name }) => name)
  const nearest = findNearest(typed, names)
  throw new MakiError('MAKI_NOT_FOUND', `there is no machine ${JSON.stringify(typed)}`, {
    hint: nearest ?? (names.length > 0 ? `There are: ${names.join(', ')}` : 'maki machine init NAME USER@HOST'),
  })
}

/** The node of the one that is called so. Throws MAKI_NOT_FOUND where the cluster has none. */
export function requireNode(machines: readonly NamedMachine[], typed: string): NamedMachine & { node: NodeView } {
  const { node, ...rest } = requireMachine(machines, typed)
  if (node !== undefined) return { ...rest, node }
  throw new MakiError('MAKI_NOT_FOUND', `${rest.name} stands in the profile, and is no node of the cluster`, {
    hint: `maki machine remove ${rest.name} takes it away.`,
  })
}

/**
 * Machines whose servers are to be changed: those that are named, in that order, or all of the profile. Throws
 * MAKI_NOT_FOUND for a name that the profile lacks, and MAKI_USAGE for machines that no server stands behind.
 */
export function chooseServers({ machines, file }: Profile, names: readonly string[]): readonly ServerMachine[] {
  const known = machines.map(({ name }) => String(name))
  const chosen = [...new Set(names.map((name) => name.toLowerCase()))].map((name) => {
    const machine = machines.find((each) => each.name === name)
    if (machine !== undefined) return machine
    throw new MakiError('MAKI_NOT_FOUND', `the profile ${file} has no machine ${JSON.stringify(name)}`, {
      hint: findNearest(name, known) ?? (known.length > 0 ? `It has ${known.join(', ')}.` : 'maki machine init'),
    })
  })
  const all = names.length === 0 ? machines : chosen
  if (all.length === 0)
    throw new MakiError('MAKI_USAGE', `the profile ${file} lists no machine`, {
      hint: 'maki machine init NAME USER@HOST',
    })
  return all.map(requireServer)
}

/** A machine that is reached over SSH. */
export type ServerMachine = Machine & { readonly sshTarget: string }

/** Throws MAKI_USAGE for a node that `maki dev` runs: there is no server to change. */
export function requireServer(machine: Machine): ServerMachine {
  const { sshTarget } = machine
  if (sshTarget !== undefined) return { ...machine, sshTarget }
  throw new MakiError(
    'MAKI_USAGE',
    `${machine.name} runs on this computer under maki dev: there is no server behind it`,
    { hint: 'This is for machines that are reached over SSH; a node of maki dev starts and ends with it.' },
  )
}
