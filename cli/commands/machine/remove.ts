import { Args, Flags } from '@oclif/core'
import { asMakiError, listDomains, listExposed, listNodes, MakiError, type NodeView } from '../../../core/index.ts'
import type { ClusterClient } from '../../client/cluster-client.ts'
import type { Connect } from '../../client/connect.ts'
import { spread } from '../../client/spread.ts'
import { findProfile, findProfilePath, updateProfile } from '../../config/index.ts'
import { type NamedMachine, requireMachine, requireServer } from '../../machine/choose-machines.ts'
import { checkIdentity, cleanServer } from '../../machine/clean-server.ts'
import { planDrain, waitForVisitors, waitHeard } from '../../machine/drain-node.ts'
import { listReplacements } from '../../machine/exposed-by.ts'
import { formatDeparture, type MachineRemoval } from '../../machine/format-departure.ts'
import { planGlue } from '../../machine/glue.ts'
import { handToAnother } from '../../machine/hand-over.ts'
import { findLastCopies } from '../../machine/last-copies.ts'
import { type AccessFlags, type Delivery, MachineCommand } from '../../machine/machine-command.ts'
import { type OpenServer, openAsRoot } from '../../machine/open-servers.ts'
import { checkDeparture, type Departure, describeDeparture } from '../../machine/plan-departure.ts'
import { tellRest } from '../../machine/replacement-rest.ts'
import { requireNodeRemoval } from '../../machine/require-node-removal.ts'
import { waitReplaced } from '../../machine/wait-replaced.ts'
import { type OperationView, viewOperations } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { count, plainLine } from '../../output/text.ts'
import { yesFlag } from '../../program/arguments.ts'
import { StepList } from '../../provision/index.ts'

export default class MachineRemove extends MachineCommand<MachineRemoval> {
  static override summary = 'Take a machine out of the cluster, and put its server back as it was.'
  static override description =
    'Says what will happen, and asks. Visitors are sent elsewhere first (maki machine drain), then its key is retired, then the server is cleaned. A machine that cannot be reached is taken out of the cluster all the same; the same line cleans its server when it is back, and --force forgets it. --compromised is for a server that somebody broke into: its key is revoked at once, nothing is run there any more, what has to be replaced is listed, and it is waited until the nodes have replaced certificates, accounts and session keys; ends with 1 when they have not in time, and they go on.'
  static override examples = [
    'maki machine remove amsterdam',
    'maki machine remove amsterdam --force --yes',
    'maki machine remove amsterdam --compromised',
  ]
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The machine.' }) }
  static override flags = {
    force: Flags.boolean({
      summary:
        'Without waiting for visitors; also the last node, or one that has files which no other has; forget one that is gone.',
    }),
    compromised: Flags.boolean({
      summary: 'Somebody broke into it: revoke its key, and list what has to be replaced.',
    }),
    timeout: Flags.integer({
      min: 0,
      default: 600,
      helpValue: 'SECONDS',
      summary: 'With --compromised: how long to wait until the nodes have replaced what they can.',
    }),
    yes: yesFlag,
  }

  override async run(): Promise<MachineRemoval> {
    const { args, flags } = await this.parse(MachineRemove)
    if (flags.offline)
      throw new MakiError('MAKI_USAGE', '--offline asks nobody, and the other machines have to hear of this', {
        hint: 'Leave --offline out.',
      })
    const other = await this.#findOther(flags, args.name)
    await using client = await this.openClient({ ...flags, node: flags.node ?? other })
    await this.refresh(client)
    const named = requireMachine(this.machinesOf(client), args.name)
    const { name, node } = named
    const how = flags.compromised ? 'revoke' : 'retire'
    const signer = node === undefined ? undefined : await client.requireSigner()
    const plan = node && signer && requireNodeRemoval(client.local.replica, signer.key, node, how)
    const connect = this.connectOf(client.profile, flags)
    using steps = new StepList(this.host, { quiet: this.isJson })
    await using stack = new AsyncDisposableStack()
    const { server, why } = await this.#openServer(named, client, flags, stack)
    if (node === undefined && server === undefined && !flags.force)
      throw new MakiError('MAKI_UNREACHABLE', `${name} is no node any more, and its server is not cleaned: ${why}`, {
        hint: `When it is gone for good: maki machine remove ${name} --force`,
      })
    const nodes = listNodes(client.state)
    const others = nodes.filter(({ key }) => key !== node?.key)
    const departure: Departure = {
      name,
      node,
      others,
      lastCopies: node === undefined || others.length === 0 ? [] : await findLastCopies(client, connect, name),
      left: why,
      isCompromised: flags.compromised,
    }
    if (!flags.force) checkDeparture(departure)
    const voids = flags.compromised && plan ? await viewOperations(client.local.replica, plan.voids) : []
    this.note([...describeDeparture(departure), ...tellVoids(voids)].join('\n'))
    await this.confirm(`Remove ${plainLine(name)}?`, flags.yes)

    if (node !== undefined && server !== undefined && !flags.force && others.some(({ drained }) => !drained))
      await this.#drain(client, steps, node)
    const removed =
      plan === undefined
        ? null
        : await this.#retire(client, connect, name, plan.changes, flags.force || others.length === 0)
    const exposed = flags.compromised ? listExposed(client.local.replica) : []
    const cleaned = server === undefined ? undefined : await this.#clean(server, steps)
    if (cleaned !== undefined && 'fault' in cleaned) this.exitCode = 4
    const isClean = cleaned !== undefined && 'left' in cleaned
    const isForgotten = isClean || flags.compromised || (node === undefined && flags.force)
    if (named.machine !== undefined && isForgotten) await this.#forget(client, name)
    const rest = removed !== null && flags.compromised ? await this.#waitReplaced(client, steps, flags.timeout) : null
    return {
      machine: name,
      removed: removed && { ...removed, how },
      voids,
      server: {
        cleaned: isClean,
        left: isClean ? cleaned.left : [],
        why: isClean ? null : cleaned === undefined ? (why ?? null) : cleaned.fault,
      },
      profile: named.machine === undefined ? 'absent' : isForgotten ? 'removed' : 'kept',
      glue: planGlue(
        listDomains(client.state).map(({ apex }) => apex),
        nodes,
        others,
      ),
      replace: flags.compromised
        ? listReplacements(client.local.replica, {
            name,
            hasEntry: named.machine !== undefined,
            inMesh: node != null && node.mesh !== null,
            missed: (removed?.missed ?? []).map(({ machine }) => machine),
            exposed,
          })
        : [],
      rest,
    }
  }

  protected format(removal: MachineRemoval, style: Style): string {
    return formatDeparture(removal, style)
  }

  /** Whom the operations are handed to: the machine that leaves should be the last to have them alone. */
  async #findOther(flags: Pick<AccessFlags, 'profile'>, leaving: string): Promise<string | undefined> {
    const { env } = this.host
    const profile = await findProfile(findProfilePath(flags.profile, env), env)
    return profile?.machines.find(({ name }) => name !== leaving.toLowerCase())?.name
  }

  /** The server as root, or why there is none; throws where it is another's, and for other faults unless forced. */
  async #openServer(
    { machine, name }: NamedMachine,
    client: ClusterClient,
    flags: AccessFlags & { readonly force: boolean; readonly compromised: boolean },
    stack: AsyncDisposableStack,
  ): Promise<{ readonly server?: OpenServer; readonly why?: string }> {
    if (machine === undefined)
      return { why: `${name} is not in this profile, so nobody knows how its server is reached` }
    const target = requireServer(machine)
    if (flags.compromised) return { why: 'whoever has it could read what is typed for it' }
    try {
      const server = stack.use(await openAsRoot(this.accessOf(client.profile, flags), target))
      await checkIdentity(server, client.profile)
      return { server }
    } catch (thrown) {
      this.host.signal.throwIfAborted()
      const error = asMakiError(thrown)
      if (error.exitCode !== 3 && !flags.force) throw error
      return { why: error.message }
    }
  }

  async #drain(client: ClusterClient, steps: StepList, node: NodeView): Promise<void> {
    const change = planDrain(node, true)
    if (change !== undefined) {
      const { id } = await client.commit([change], { message: `${node.name} leaves` })
      await this.send(client, id)
      const late = await waitHeard(client, id)
      if (late.length > 0) this.caution(`${late.map(plainLine).join(', ')} did not hear of it yet`)
    }
    await waitForVisitors(client, steps, node).catch((error: unknown) => {
      if (this.host.signal.aborted)
        this.note(
          `${node.name} is drained, and not removed. The same line goes on; maki machine undrain ${node.name} takes it back.`,
        )
      throw error
    })
  }

  async #retire(
    client: ClusterClient,
    connect: Connect,
    name: string,
    changes: Parameters<ClusterClient['commit']>[0],
    isForced: boolean,
  ): Promise<Delivery> {
    const operation = await client.commit(changes)
    const report = await this.send(client, operation.id)
    const isElsewhere = report.machine !== undefined && report.machine !== name
    const node = isElsewhere
      ? report.machine
      : await handToAnother(operation, name, client, connect, { patient: !isForced })
    if (node === undefined && !isForced)
      throw new MakiError(
        'MAKI_UNREACHABLE',
        `no other machine has heard yet that ${name} is removed, so its server was left as it is`,
        {
          hint: `It waits here for the next exchange (maki push). Then again: maki machine remove ${name}`,
        },
      )
    // Whoever does not know it yet lets the removed one into the mesh.
    const { missed } = await spread([operation], client, {
      except: [name, node, report.machine].filter((one) => one !== undefined),
    })
    return { operation: operation.id, node: node ?? report.machine ?? null, missed }
  }

  async #waitReplaced(client: ClusterClient, steps: StepList, timeoutS: number): Promise<MachineRemoval['rest']> {
    const rest = await waitReplaced(client, steps, timeoutS * 1000).catch((error: unknown) => {
      if (this.host.signal.aborted)
        this.note('It is removed, and the nodes go on with what is to be replaced: maki status says what is left.')
      throw error
    })
    if (rest !== undefined && tellRest(rest).length > 0) this.exitCode = 1
    return rest ?? null
  }

  async #clean(
    server: OpenServer,
    steps: StepList,
  ): Promise<{ readonly left: readonly string[] } | { readonly fault: string }> {
    try {
      return { left: await cleanServer(server, steps) }
    } catch (thrown) {
      this.host.signal.throwIfAborted()
      return { fault: asMakiError(thrown).message }
    }
  }

  async #forget(client: ClusterClient, name: string): Promise<void> {
    const { env, runtime, signal } = this.host
    await updateProfile(
      client.profile.file,
      env,
      runtime,
      (profile) => profile && { ...profile, machines: profile.machines.filter((machine) => machine.name !== name) },
      { signal },
    )
  }
}

const tellVoids = (voids: readonly OperationView[]): readonly string[] =>
  voids.length === 0 ? [] : [`${count(voids.length, 'operation')} of it will not count any more (--json lists them).`]
