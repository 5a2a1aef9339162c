import { Args } from '@oclif/core'
import { requireNode } from '../../machine/choose-machines.ts'
import { planDrain } from '../../machine/drain-node.ts'
import { type Delivery, MachineCommand } from '../../machine/machine-command.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { messageFlag } from '../../program/arguments.ts'

interface UndrainResult {
  readonly machine: string
  /** Null where it was not drained. */
  readonly written: Delivery | null
}

export default class MachineUndrain extends MachineCommand<UndrainResult> {
  static override summary = 'Send visitors to a drained machine again.'
  static override examples = ['maki machine undrain amsterdam']
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The machine.' }) }
  static override flags = { message: messageFlag }

  override async run(): Promise<UndrainResult> {
    const { args, flags } = await this.parse(MachineUndrain)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { node } = requireNode(this.machinesOf(client), args.name)
    const change = planDrain(node, false)
    if (change === undefined) return { machine: node.name, written: null }
    const operation = await client.commit([change], { message: flags.message })
    const report = await this.send(client, operation.id)
    return { machine: node.name, written: { operation: operation.id, node: report.machine ?? null } }
  }

  protected format({ machine, written }: UndrainResult, style: Style): string {
    const name = plainLine(machine)
    if (written === null) return `${name} was not drained.`
    return `${style.good('Undrained')} ${name}${written.node === null ? '' : ` at ${plainLine(written.node)}`}: visitors are sent there again, while it is well.`
  }
}
