import { Args, Flags } from '@oclif/core'
import type { OperationId, PeerView } from '../../../core/index.ts'
import type { MissedMachine } from '../../client/spread.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { requirePeer } from '../../peer/choose-peer.ts'
import { messageFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'

interface RemoveResult extends PeerView {
  readonly operation: OperationId
  readonly node: string | null
  /** Machines that did not take it from here; absent where nothing was written. */
  readonly missed?: readonly MissedMachine[]
}

export default class PeerRemove extends MakiCommand<RemoveResult> {
  static override summary = 'Take an external peer out of the mesh.'
  static override description =
    'Asks first. Every node forgets the key as soon as it hears of this, and takes nothing from the peer any more. maki undo brings it back.'
  static override examples = ['maki peer remove metrics', 'maki peer remove metrics --force']
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'The external peer.' }) }
  static override flags = {
    // Other commands say --yes, and what asks suggests it.
    force: Flags.boolean({ char: 'y', aliases: ['yes'], summary: 'Do not ask.' }),
    message: messageFlag,
  }

  override async run(): Promise<RemoveResult> {
    const { args, flags } = await this.parse(PeerRemove)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const peer = requirePeer(client.state, args.name)
    const where = peer.endpoint === null ? 'which begins itself' : `at ${plainLine(peer.endpoint)}`
    await this.confirm(`Remove the external peer ${peer.name}, ${where}?`, flags.force)
    const operation = await client.commit([{ kind: 'peer.remove', name: peer.name }], {
      signer,
      message: flags.message,
    })
    const { machine } = await this.send(client, operation.id)
    const missed = await this.tellAll(client, operation, [machine])
    return { ...peer, operation: operation.id, node: machine ?? null, missed }
  }

  protected format({ name, node }: RemoveResult, style: Style): string {
    return `${style.good('Removed')} the external peer ${name}${node === null ? '' : ` at ${plainLine(node)}`}.`
  }
}
