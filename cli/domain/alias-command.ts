import { Args } from '@oclif/core'
import type { Hostname, OperationId, State } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { domainArg } from '../program/arguments.ts'
import { MakiCommand } from '../program/base.ts'
import type { AliasPlan } from './plan-alias.ts'

export interface AliasResult {
  readonly domain: Hostname
  readonly alias: Hostname
  readonly changed: boolean
  readonly operation: OperationId | null
  readonly node: string | null
}

export const aliasArgs = {
  domain: domainArg,
  alias: Args.string({ required: true, ignoreStdin: true, description: 'The other name, like www.example.com.' }),
}

/** What the commands that write aliases have in common: plan on the newest state there is, write, send. */
export abstract class AliasCommand extends MakiCommand<AliasResult> {
  protected async write(
    client: ClusterClient,
    plan: (state: State) => AliasPlan,
    message?: string,
  ): Promise<AliasResult> {
    await client.exchange()
    const signer = await client.requireSigner()
    const { domain, alias, change, notes } = plan(client.state)
    for (const note of notes) this.note(note)
    if (change === undefined) return { domain, alias, changed: false, operation: null, node: null }
    const operation = await client.commit([change], { signer, message })
    const { machine } = await this.send(client, operation.id)
    return { domain, alias, changed: true, operation: operation.id, node: machine ?? null }
  }
}
