import { Args, Flags } from '@oclif/core'
import { listMembers } from '../../member/members.ts'
import { requirePeer } from '../../peer/choose-peer.ts'
import { findConfigChangedMs } from '../../peer/nodes-changed.ts'
import { buildPeerConfig, formatPeerConfig, type PeerConfig } from '../../peer/peer-config.ts'
import { MakiCommand } from '../../program/base.ts'

interface ConfigResult extends PeerConfig {
  /** Since when it is so, ISO 8601: an older one is out of date. */
  readonly asOf: string
  /** The file. */
  readonly config: string
}

export default class PeerWgConfig extends MakiCommand<ConfigResult> {
  static override summary = 'Print the configuration of WireGuard for the machine of an external peer.'
  static override description =
    'Every node, with its key, its address in the mesh and where it is reached, for wg setconf; with --format wg-quick for wg-quick. The private key is the peer’s own, and nobody else knows it: the file has a place for it. When nodes come, go or move, print it anew; maki peer list says when.'
  static override examples = [
    'maki peer wg-config metrics',
    'maki peer wg-config metrics --format wg-quick',
    'maki peer wg-config metrics --json',
  ]
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The external peer.' }) }
  static override flags = {
    format: Flags.option({ options: ['wg', 'wg-quick'] as const })({ default: 'wg', summary: 'Who reads it.' }),
  }

  override async run(): Promise<ConfigResult> {
    const { args, flags } = await this.parse(PeerWgConfig)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state, profile } = client
    const peer = requirePeer(state, args.name)
    const changedMs = findConfigChangedMs(state, await listMembers(client.local.replica), peer)
    const config = buildPeerConfig(state, profile.cluster, peer)
    const { nodes, without, listenPort } = config
    if (without.length > 0) this.caution(`left out, without a part in the mesh: ${without.join(', ')}`)
    const silent = nodes.filter(({ endpoints }) => endpoints.length === 0).map(({ name }) => name)
    if (listenPort === null && silent.length > 0)
      this.caution(
        `neither ${peer.name} nor ${silent.join(', ')} can be reached first, so there is no way between them: maki machine set NAME --endpoint HOST gives one`,
      )
    return {
      ...config,
      asOf: new Date(changedMs).toISOString(),
      config: formatPeerConfig(config, flags.format, changedMs),
    }
  }

  protected format({ config }: ConfigResult): string {
    return config.trimEnd()
  }
}
