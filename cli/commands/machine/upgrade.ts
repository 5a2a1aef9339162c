import { Flags } from '@oclif/core'
import { MakiError } from '../../../core/index.ts'
import { type Bundle, type BundleArch, findBundle } from '../../bundle/index.ts'
import { compareVersions } from '../../machine/compare-versions.ts'
import type { OpenServer } from '../../machine/open-servers.ts'
import type { MachineOutcome, RollOptions } from '../../machine/roll.ts'
import { namesArg, RollCommand } from '../../machine/roll-command.ts'
import { formatBytes, plainLine } from '../../output/text.ts'
import { uploadBundle } from '../../provision/index.ts'

export default class MachineUpgrade extends RollCommand {
  static override summary = 'Bring this version to machines, one after the other, without a lost request.'
  static override description =
    'The bundle is brought to all of them first. Then each switches to it; where it does not start or is not well the machine goes back to what it ran, nothing more is touched, and the command ends with 4. A machine that runs it already is left alone. All machines have to be reached before the first is touched: name those that are up where one is not.'
  static override examples = [
    'maki machine upgrade',
    'maki machine upgrade amsterdam tokyo',
    'maki machine upgrade --binary-path ./makiatto-0.2.0-linux-x64.tar.gz',
  ]
  static override args = namesArg
  static override strict = false
  static override flags = {
    'binary-path': Flags.string({ helpValue: 'FILE', summary: 'Another bundle than that of this maki.' }),
  }
  protected readonly line = 'maki machine upgrade'
  #binaryPath: string | undefined

  override async run(): Promise<readonly MachineOutcome[]> {
    const { argv, flags } = await this.parse(MachineUpgrade)
    this.#binaryPath = flags['binary-path']
    return this.roll(flags, argv.map(String))
  }

  protected override async prepare(
    servers: readonly OpenServer[],
    options: RollOptions,
  ): Promise<(server: OpenServer) => string | undefined> {
    const bundles = new Map<BundleArch, Bundle>()
    for (const { facts, machine } of servers) {
      const { arch, processor } = facts
      if (arch === undefined)
        throw new MakiError(
          'MAKI_UNSUPPORTED',
          `there is no bundle for ${plainLine(processor)}, which ${machine.name} is`,
        )
      if (!bundles.has(arch)) bundles.set(arch, await this.#findBundle(arch, options))
    }
    const bundleOf = ({ facts }: OpenServer) => bundles.get(facts.arch as BundleArch) as Bundle
    await this.#warnOfDowngrade(servers, bundleOf, options)
    for (const server of servers) await this.#upload(server, bundleOf(server), options)
    return (server) => bundleOf(server).sha256
  }

  #findBundle(arch: BundleArch, { steps }: RollOptions): Promise<Bundle> {
    const { env, runtime, signal } = this.host
    const binaryPath = this.#binaryPath
    return steps.run(`Find the bundle for linux-${arch}`, async (step) => {
      const bundle = await findBundle({
        arch,
        env,
        runtime,
        signal,
        onProgress: (text) => step.progress(text),
        ...(binaryPath === undefined ? {} : { binaryPath }),
      })
      step.say(`${bundle.version}, ${bundle.sha256.slice(0, 12)}`)
      return bundle
    })
  }

  async #upload({ ssh, privilege, machine }: OpenServer, bundle: Bundle, { steps }: RollOptions): Promise<void> {
    await steps.run(`Bring it to ${machine.name}`, async (step) => {
      const total = formatBytes(bundle.sizeBytes)
      const sent = await uploadBundle(ssh, privilege, bundle, {
        onProgress: (sentBytes) => step.progress(`${formatBytes(sentBytes)} of ${total}`),
        signal: this.host.signal,
      })
      if (sent === 'same') step.same('it lies there')
      else step.say(total)
    })
  }

  /** Newer programs may have written what older ones cannot read; the server refuses what would not start. */
  async #warnOfDowngrade(
    servers: readonly OpenServer[],
    bundleOf: (server: OpenServer) => Bundle,
    { client }: RollOptions,
  ): Promise<void> {
    const status = await this.statusOf(client)
    for (const server of servers) {
      const { version } = status?.nodes.find(({ name }) => name === server.machine.name) ?? {}
      const bundle = bundleOf(server)
      if (version != null && compareVersions(bundle.version, version) < 0)
        this.caution(`${server.machine.name} runs ${plainLine(version)}, and this is the older ${bundle.version}`)
    }
  }
}
