import { Args, Flags } from '@oclif/core'
import { findProfilePath } from '../../config/index.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { type AddResult, addMachine, ProvisionCommand } from '../../provision/index.ts'
import { parseSshTarget } from '../../ssh/index.ts'

export default class MachineAdd extends ProvisionCommand<AddResult> {
  static override summary = 'Write a machine that runs to the profile: on a second computer.'
  static override description =
    'Asks the node over SSH who it is and reads the cluster from it. Without a profile one is made, and a key for this computer, with the line that an operator types to admit it.'
  static override examples = [
    'maki machine add root@203.0.113.1',
    'maki machine add admin@tokyo.example.org --port 2222',
  ]
  static override args = {
    target: Args.string({ required: true, ignoreStdin: true, description: 'Where it is reached: USER@HOST.' }),
  }
  static override flags = {
    port: Flags.integer({ summary: 'The port of SSH there.', helpValue: 'NUMBER' }),
    yes: Flags.boolean({ char: 'y', summary: 'Take the host key of a new server without asking.' }),
  }

  override async run(): Promise<AddResult> {
    const { args, flags } = await this.parse(MachineAdd)
    const target = parseSshTarget(args.target, flags.port)
    const profileFile = findProfilePath(flags.profile, this.host.env)
    using steps = this.createSteps()
    const keyRing = await this.createKeyRing(flags, profileFile, steps)
    return await addMachine(
      {
        host: this.host,
        profileFile,
        steps,
        keyRing,
        yes: flags.yes,
        openClient: (profile, options) => this.openProfile(profile, flags, keyRing, options),
      },
      target,
    )
  }

  protected format({ name, profile, changed, key, isMember, others }: AddResult, style: Style): string {
    const lines = [changed ? `${style.good('Added')} ${name} to ${profile}` : `${name} stands in ${profile} already`]
    if (others.length > 0) {
      const list = others.map(plainLine).join(', ')
      lines.push(
        `The cluster has more: ${list}. How they are reached over SSH only you know: maki machine add USER@HOST for each.`,
      )
    }
    if (!isMember) {
      lines.push(
        '',
        `The key of this computer is no member of the cluster yet: ${key}`,
        `On a computer that is: maki operator add NAME ${key}`,
      )
    }
    return lines.join('\n')
  }
}
