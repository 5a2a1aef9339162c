import { Args, Flags } from '@oclif/core'
import { listNodes } from '../../../core/index.ts'
import { requireNode } from '../../machine/choose-machines.ts'
import { checkLastServing, planDrain, waitForVisitors, waitHeard } from '../../machine/drain-node.ts'
import { type Delivery, MachineCommand } from '../../machine/machine-command.ts'
import { type VisitorsSeen, watchVisitors } from '../../machine/watch-visitors.ts'
import type { Style } from '../../output/style.ts'
import { count, plainLine } from '../../output/text.ts'
import { messageFlag } from '../../program/arguments.ts'
import { StepList } from '../../provision/index.ts'

interface DrainResult {
  readonly machine: string
  /** Null where it was drained already. */
  readonly written: Delivery | null
  /** How long was waited for resolvers to forget it, milliseconds; null where nobody waited. */
  readonly waitedMs: number | null
  /** What still came to it afterwards; null where it was not watched. */
  readonly visitors: VisitorsSeen | null
}

export default class MachineDrain extends MachineCommand<DrainResult> {
  static override summary = 'Send visitors to the other machines, and wait until they are gone.'
  static override description =
    'DNS names the machine no more, while others can be named; it goes on serving, keeps its data, and stays a name server. Waits as long as resolvers may remember it (the largest TTL of the answers that name it), and then says whether requests still come. Ctrl-C ends the waiting alone.'
  static override examples = ['maki machine drain amsterdam', 'maki machine drain amsterdam --no-wait']
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The machine.' }) }
  static override flags = {
    'no-wait': Flags.boolean({ summary: 'Write it, and do not wait.' }),
    force: Flags.boolean({ summary: 'Also the last one that visitors are sent to.' }),
    message: messageFlag,
  }

  override async run(): Promise<DrainResult> {
    const { args, flags } = await this.parse(MachineDrain)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { node, machine } = requireNode(this.machinesOf(client), args.name)
    const nodes = listNodes(client.state)
    if (!flags.force) checkLastServing(node, nodes)
    const change = planDrain(node, true)
    let written: Delivery | null = null
    if (change !== undefined) {
      const operation = await client.commit([change], { message: flags.message })
      const report = await this.send(client, operation.id)
      written = { operation: operation.id, node: report.machine ?? null }
    }
    const result = { machine: node.name, written, waitedMs: null, visitors: null }
    if (flags['no-wait'] || client.isOffline || (written !== null && written.node === null)) return result
    const late = written === null ? [] : await waitHeard(client, written.operation)
    if (late.length > 0)
      this.caution(`${late.map(plainLine).join(', ')} did not hear of it yet, and may name ${node.name} for longer`)
    using steps = new StepList(this.host, { quiet: this.isJson })
    const waitedMs = await waitForVisitors(client, steps, node).catch((error: unknown) => {
      if (this.host.signal.aborted) this.note(`${plainLine(node.name)} is drained already; only the waiting has ended.`)
      throw error
    })
    if (machine === undefined) return { ...result, waitedMs }
    const { runtime, signal } = this.host
    const visitors = await steps.run('Look whether visitors still come', async (step) => {
      const seen = await watchVisitors(machine, {
        connect: this.connectOf(client.profile, flags),
        otherNodes: nodes.length - 1,
        addresses: [node.ipv4, node.ipv6].filter((address) => address !== null).length,
        runtime,
        signal,
      })
      if (seen === undefined) step.warn('it could not be asked')
      else if (seen.requests > 0) step.warn(`${count(seen.requests, 'request')} in ${seen.spanMs / 1000} s`)
      else step.say('none')
      return seen ?? null
    })
    return { ...result, waitedMs, visitors }
  }

  protected format({ machine, written, waitedMs, visitors }: DrainResult, style: Style): string {
    const name = plainLine(machine)
    const lines = [
      written === null
        ? `${name} was drained already.`
        : `${style.good('Drained')} ${name}${written.node === null ? '' : ` at ${plainLine(written.node)}`}.`,
    ]
    if (waitedMs !== null && visitors !== null)
      lines.push(
        visitors.requests === 0
          ? 'No visitor comes there any more.'
          : 'Requests still come there: some resolvers keep addresses for longer than they may, and some programs for as long as they run.',
      )
    lines.push(`Visitors come back with: maki machine undrain ${name}`)
    return lines.join('\n')
  }
}
