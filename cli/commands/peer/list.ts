import { listMembers } from '../../member/members.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { findNodesChangedMs } from '../../peer/nodes-changed.ts'
import { buildPeerRows, type PeerRow } from '../../peer/peer-rows.ts'
import { MakiCommand } from '../../program/base.ts'

export default class PeerList extends MakiCommand<readonly PeerRow[]> {
  static override summary = 'List the external peers, and which of their configurations may be old.'
  static override description =
    'A configuration that maki peer wg-config printed says as of when it is. Where the nodes have changed since, so that one that is older lacks a node or knows it at another address, the list says how to print it anew.'
  static override examples = ['maki peer list', 'maki peer list --json']

  override async run(): Promise<readonly PeerRow[]> {
    const { flags } = await this.parse(PeerList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state, profile } = client
    const changedMs = findNodesChangedMs(state, await listMembers(client.local.replica))
    return buildPeerRows({ state, cluster: profile.cluster, changedMs })
  }

  protected format(rows: readonly PeerRow[], style: Style): string {
    if (rows.length === 0) return 'There is no external peer: maki peer add NAME --wg-pubkey KEY --endpoint HOST'
    const now = this.host.runtime.now()
    const lines = rows.map((row) => [
      style.name(row.name),
      row.endpoint === null ? style.dim('begins itself') : plainLine(row.endpoint),
      plainLine(row.address),
      row.publicKey,
      formatAgo(Date.parse(row.addedAt), now),
    ])
    const old = rows.filter(({ configSince, addedAt }) => configSince > addedAt)
    const notes = [
      ...old.map(
        ({ name, configSince }) =>
          `The nodes changed after ${name} was added. Where its configuration does not say "As of ${configSince}": maki peer wg-config ${name}`,
      ),
      ...rows.flatMap(({ advice }) => (advice === null ? [] : [style.warn(plainLine(advice))])),
    ]
    const table = formatTable(lines, ['PEER', 'ENDPOINT', 'ADDRESS', 'KEY', 'ADDED'].map(style.bold), style.columns)
    return [table, ...(notes.length === 0 ? [] : [notes.join('\n')])].join('\n\n')
  }
}
