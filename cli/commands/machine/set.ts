import { Args, Flags } from '@oclif/core'
import { listDomains, listNodes } from '../../../core/index.ts'
import { updateProfile } from '../../config/index.ts'
import { requireMachine } from '../../machine/choose-machines.ts'
import { formatGlue, type GlueChange, planGlue } from '../../machine/glue.ts'
import { type Delivery, MachineCommand } from '../../machine/machine-command.ts'
import { planUpdate } from '../../machine/plan-update.ts'
import { readUpdate } from '../../machine/read-update.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { messageFlag } from '../../program/arguments.ts'
import { parseSshTarget } from '../../ssh/index.ts'

interface SetResult {
  readonly machine: string
  /** Null where the cluster had all of it already. */
  readonly written: Delivery | null
  /** Fields of the node that are others now. */
  readonly changed: readonly string[]
  readonly profileWritten: boolean
  readonly glue: readonly GlueChange[]
}

export default class MachineSet extends MachineCommand<SetResult> {
  static override summary =
    'Change how a machine is reached, its addresses, its place, and whether it is a name server.'
  static override description =
    'Only what is named and another than before is written: to the profile, and to the cluster, whose DNS answers follow by themselves. What has to be changed at the registrar of a domain is printed.'
  static override examples = [
    'maki machine set amsterdam --ipv4 203.0.113.7',
    'maki machine set amsterdam --ipv6 none',
    'maki machine set amsterdam --lat 52.37 --lon 4.90',
    'maki machine set amsterdam --no-ns',
    'maki machine set lab --endpoint none',
    'maki machine set lab --endpoint router.example.net:51880',
    'maki machine set amsterdam --ssh-target root@203.0.113.7 --port 2222',
  ]
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The machine.' }) }
  static override flags = {
    'ssh-target': Flags.string({ helpValue: 'USER@HOST', summary: 'Where it is reached; in the profile alone.' }),
    port: Flags.integer({
      helpValue: 'NUMBER',
      min: 1,
      max: 65535,
      summary: 'Where SSH listens; in the profile alone.',
    }),
    ipv4: Flags.string({ helpValue: 'ADDRESS', summary: 'Its public IPv4 address, or none.' }),
    ipv6: Flags.string({ helpValue: 'ADDRESS', summary: 'Its public IPv6 address, or none.' }),
    lat: Flags.string({ helpValue: 'DEGREES', summary: 'Where it stands: latitude, north is positive.' }),
    lon: Flags.string({ helpValue: 'DEGREES', summary: 'Where it stands: longitude, east is positive.' }),
    ns: Flags.boolean({ allowNo: true, summary: 'Whether it is a name server of every domain.' }),
    endpoint: Flags.string({
      helpValue: 'HOST[:PORT]',
      summary:
        'Where the other machines reach its WireGuard, instead of at its public addresses; none where nobody can reach it first; default for its addresses again.',
    }),
    message: messageFlag,
  }

  override async run(): Promise<SetResult> {
    const { args, flags } = await this.parse(MachineSet)
    const update = readUpdate(flags)
    if (update.sshTarget !== undefined) parseSshTarget(update.sshTarget, update.port)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const named = requireMachine(this.machinesOf(client), args.name)
    const nodes = listNodes(client.state)
    const { cluster } = client.profile
    const plan = planUpdate({ ...named, nodes, cluster }, update)
    for (const caution of plan.cautions) this.caution(caution)
    let written: Delivery | null = null
    if (plan.change !== undefined) {
      const operation = await client.commit([plan.change], { message: flags.message })
      const report = await this.send(client, operation.id)
      const node = report.machine ?? null
      // Whoever is to reach it elsewhere may hear it no more.
      const isMoved = plan.change.set.addresses !== undefined || plan.change.set.mesh !== undefined
      const missed = isMoved && node !== null ? await this.tellAll(client, operation, [node], plan.machine) : undefined
      written = { operation: operation.id, node, ...(missed === undefined ? {} : { missed }) }
    }
    const { machine } = plan
    if (machine !== undefined) {
      const { env, runtime, signal } = this.host
      await updateProfile(
        client.profile.file,
        env,
        runtime,
        (profile) =>
          profile && {
            ...profile,
            machines: profile.machines.map((each) => (each.name === machine.name ? machine : each)),
          },
        { signal },
      )
    }
    const after = nodes.map((node) => (node.key === plan.node?.key ? plan.node : node))
    return {
      machine: named.name,
      written,
      changed: Object.keys(plan.change?.set ?? {}),
      profileWritten: machine !== undefined,
      glue: planGlue(
        listDomains(client.state).map(({ apex }) => apex),
        nodes,
        after,
      ),
    }
  }

  protected format({ machine, written, changed, profileWritten, glue }: SetResult, style: Style): string {
    if (written === null && !profileWritten) return `${plainLine(machine)} is so already.`
    const where = [
      ...(written === null ? [] : [written.node === null ? 'here' : `at ${plainLine(written.node)}`]),
      ...(profileWritten ? ['in the profile'] : []),
    ]
    const lines = [`${style.good('Changed')} ${plainLine(machine)} ${where.join(' and ')}.`]
    if (changed.some((field) => field === 'addresses' || field === 'nameserver' || field === 'place'))
      lines.push('DNS answers follow by themselves; resolvers may remember the old ones for their TTL.')
    if (changed.includes('mesh')) lines.push('The other machines try to reach it there from now on.')
    if (glue.length > 0) lines.push(formatGlue(glue))
    return lines.join('\n')
  }
}
