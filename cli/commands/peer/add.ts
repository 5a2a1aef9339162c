import { Args, Flags } from '@oclif/core'
import type { OperationId, PeerView } from '../../../core/index.ts'
import type { MissedMachine } from '../../client/spread.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { planPeer } from '../../peer/plan-peer.ts'
import { messageFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'

interface AddResult extends PeerView {
  readonly changed: boolean
  readonly operation: OperationId | null
  readonly node: string | null
  /** Machines that did not take it from here; absent where nothing was written. */
  readonly missed?: readonly MissedMachine[]
}

export default class PeerAdd extends MakiCommand<AddResult> {
  static override summary = 'Let the nodes reach a machine that is not one of them, through WireGuard.'
  static override description =
    'An external peer answers what nodes begin, and may ping them; it reaches nothing else of theirs, and no other peer. Every node takes it up by itself. What the peer has to be told is printed by maki peer wg-config. Its private key stays where it is: only the public one is asked for.'
  static override examples = [
    'maki peer add metrics --wg-pubkey xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg= --endpoint metrics.example.net',
    'maki peer add metrics --wg-pubkey xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg= --endpoint 203.0.113.9:4500',
    'maki peer add office --wg-pubkey xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg= --endpoint none',
  ]
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'What people call it; no machine’s name.' }),
  }
  static override flags = {
    'wg-pubkey': Flags.string({ required: true, helpValue: 'KEY', summary: 'Its public key (wg pubkey).' }),
    endpoint: Flags.string({
      required: true,
      helpValue: 'HOST[:PORT]',
      summary:
        'Where the nodes reach it: a host name or an address, at port 51820 unless one is given; none for a peer that always begins itself.',
    }),
    'wg-address': Flags.string({
      helpValue: 'ADDRESS',
      summary: 'Its address in the mesh, in the network of external peers; without it, one that comes from the key.',
    }),
    message: messageFlag,
  }

  override async run(): Promise<AddResult> {
    const { args, flags } = await this.parse(PeerAdd)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { cluster, machines } = client.profile
    const plan = planPeer(
      { state: client.state, cluster, machines: machines.map(({ name }) => name) },
      {
        name: args.name,
        publicKey: flags['wg-pubkey'],
        endpoint: flags.endpoint,
        address: flags['wg-address'],
      },
    )
    for (const caution of plan.cautions) this.caution(caution)
    if (plan.change === undefined) return { ...plan.peer, changed: false, operation: null, node: null }
    const operation = await client.commit([plan.change], { signer, message: flags.message })
    const { machine } = await this.send(client, operation.id)
    const missed = await this.tellAll(client, operation, [machine])
    return { ...plan.peer, changed: true, operation: operation.id, node: machine ?? null, missed }
  }

  protected format({ name, address, changed, node }: AddResult, style: Style): string {
    const done = changed
      ? `${style.good('Added')} the external peer ${name}${node === null ? '' : ` at ${plainLine(node)}`}.`
      : `The external peer ${name} is so already; nothing was written.`
    return `${done} Its address in the mesh is ${address}.\nWhat it has to be told: maki peer wg-config ${name}`
  }
}
