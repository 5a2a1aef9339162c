import type { MachineOutcome } from '../../machine/roll.ts'
import { namesArg, RollCommand } from '../../machine/roll-command.ts'

export default class MachineRestart extends RollCommand {
  static override summary = 'Restart the daemon of machines, one after the other, without a lost request.'
  static override description =
    'What serves goes on until what comes next has taken over. Each is looked at from here and through another node before the next one; it stops at the first that is not well, and ends with 4. All machines have to be reached before the first is touched.'
  static override examples = ['maki machine restart', 'maki machine restart amsterdam']
  static override args = namesArg
  static override strict = false
  protected readonly line = 'maki machine restart'

  override async run(): Promise<readonly MachineOutcome[]> {
    const { argv, flags } = await this.parse(MachineRestart)
    return this.roll(flags, argv.map(String))
  }

  protected override async prepare(): Promise<() => undefined> {
    return () => undefined
  }
}
