import { Args } from '@oclif/core'
import { requireMachine } from '../../machine/choose-machines.ts'
import { describeMachine, type MachineDescription } from '../../machine/describe-machine.ts'
import { formatDescription } from '../../machine/format-machine.ts'
import { MachineCommand } from '../../machine/machine-command.ts'
import type { Style } from '../../output/style.ts'

export default class MachineShow extends MachineCommand<MachineDescription> {
  static override summary = 'Show all that is known of a machine, and what the others see of it.'
  static override description =
    'From the profile, the cluster, the machine itself, its server over SSH, and the other machines; what does not answer is said, and the rest is shown. Ends with 3 when the machine does not answer.'
  static override examples = ['maki machine show amsterdam', 'maki machine show amsterdam --json']
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The machine.' }) }

  override async run(): Promise<MachineDescription> {
    const { args, flags } = await this.parse(MachineShow)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const shown = await describeMachine(requireMachine(this.machinesOf(client), args.name), {
      cluster: client.profile.cluster,
      others: client.profile.machines,
      connect: this.connectOf(client.profile, flags),
      access: this.accessOf(client.profile, flags),
      isOffline: flags.offline,
    })
    if (shown.profile !== null && shown.self === null && !flags.offline) this.exitCode = 3
    return shown
  }

  protected format(shown: MachineDescription, style: Style): string {
    return formatDescription(shown, style)
  }
}
