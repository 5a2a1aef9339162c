import { Args } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import type { Style } from '../output/style.ts'
import { formatTable } from '../output/table.ts'
import { plainLine } from '../output/text.ts'
import { StepList } from '../provision/index.ts'
import { chooseServers } from './choose-machines.ts'
import { type AccessFlags, MachineCommand } from './machine-command.ts'
import { type OpenServer, openAllAsRoot } from './open-servers.ts'
import { type MachineOutcome, type RollOptions, rollServer } from './roll.ts'

/** Names of machines, all when left out. */
export const namesArg = {
  name: Args.string({
    ignoreStdin: true,
    description: 'A machine; several may be given. All of the profile when left out.',
  }),
}

/** What goes from one machine to the next and stops where one is not well. */
export abstract class RollCommand extends MachineCommand<readonly MachineOutcome[]> {
  /** What the lines that people type for the rest begin with: `maki machine upgrade`. */
  protected abstract readonly line: string

  /** The version that a server is to run, once it lies there; undefined restarts what runs. */
  protected abstract prepare(
    servers: readonly OpenServer[],
    options: RollOptions,
  ): Promise<(server: OpenServer) => string | undefined>

  /** One server after the other, in the order of the names or of the profile. */
  protected async roll(flags: AccessFlags, names: readonly string[]): Promise<readonly MachineOutcome[]> {
    if (flags.offline)
      throw new MakiError('MAKI_USAGE', '--offline asks nobody, and servers have to be reached for this', {
        hint: 'Leave --offline out.',
      })
    await using client = await this.openClient(flags)
    const machines = chooseServers(client.profile, names)
    await this.refresh(client)
    await using stack = new AsyncDisposableStack()
    using steps = new StepList(this.host, { quiet: this.isJson })
    const access = this.accessOf(client.profile, flags)
    const servers = await openAllAsRoot(access, machines, steps, { stack, command: this.line })
    const options = { client, connect: this.connectOf(client.profile, flags), steps }
    const versionOf = await this.prepare(servers, options)
    const outcomes: MachineOutcome[] = []
    for (const server of servers) {
      const { machine, facts } = server
      const running = facts.running ?? null
      const isOver = outcomes.some(({ outcome }) => outcome === 'failed' || outcome === 'returned')
      const version = versionOf(server)
      const stays = (outcome: 'same' | 'untouched'): MachineOutcome => ({
        machine: machine.name,
        outcome,
        before: running,
        running,
        reason: null,
      })
      if (isOver) outcomes.push(stays('untouched'))
      else if (version !== undefined && version === facts.running && facts.unit.active === 'active')
        outcomes.push(stays('same'))
      else {
        using own = new StepList(this.host, { quiet: this.isJson, prefix: machine.name })
        outcomes.push(await rollServer(server, version, { ...options, steps: own }))
      }
    }
    if (outcomes.some(({ outcome }) => outcome === 'failed' || outcome === 'returned')) this.exitCode = 4
    return outcomes
  }

  protected format(outcomes: readonly MachineOutcome[], style: Style): string {
    const rows = outcomes.map(({ machine, outcome, running, reason }) => [
      style.name(plainLine(machine)),
      this.#describe(outcome, style),
      running === null ? '-' : running.slice(0, 12),
      reason ?? '',
    ])
    const parts = [formatTable(rows, ['MACHINE', '', 'RUNS', ''].map(style.bold), style.columns)]
    const rest = outcomes
      .filter(({ outcome }) => outcome !== 'done' && outcome !== 'same')
      .map(({ machine }) => machine)
    if (rest.length > 0)
      parts.push(
        `It stopped at the first machine that was not well; each of the others runs what it ran.\nmaki machine show ${rest[0]} and maki logs ${rest[0]} tell more. To go on: ${this.line} ${rest.join(' ')}`,
      )
    return parts.join('\n\n')
  }

  #describe(outcome: MachineOutcome['outcome'], style: Style): string {
    switch (outcome) {
      case 'done':
        return style.good('done')
      case 'same':
        return 'ran it already'
      case 'returned':
        return style.bad('went back')
      case 'failed':
        return style.bad('failed')
      case 'untouched':
        return style.dim('not touched')
      default:
        return outcome satisfies never
    }
  }
}
