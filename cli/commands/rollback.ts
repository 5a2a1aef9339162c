import { Args, Flags } from '@oclif/core'
import { type Change, type DomainView, type OperationId, type State, shortId } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { describeChange } from '../output/describe-change.ts'
import type { Style } from '../output/style.ts'
import { domainArg, messageFlag } from '../program/arguments.ts'
import { MakiCommand } from '../program/base.ts'
import { findMissing, gone, listKept } from '../release/manifests.ts'
import { openDomain } from '../release/open-domain.ts'
import { describeChoice, isSameContent, type PublishedRelease } from '../release/published.ts'
import { chooseRollback, planRestore } from '../release/rollback.ts'

interface RollbackResult {
  readonly changed: boolean
  readonly domain: string
  /** The release whose content is served (again). */
  readonly to: OperationId
  /** The release that serves it now. */
  readonly release: OperationId
  /** Sync publishes nothing to the domain until it is resumed. */
  readonly held: boolean
  /** What was written, in words. */
  readonly words: readonly string[]
  readonly node: string | null
}

export default class Rollback extends MakiCommand<RollbackResult> {
  static override summary = 'Serve an earlier release of a site again.'
  static override description =
    'Without a release it goes one back; twice goes two back. It is a new release with the files and aliases of the old one, so it can be taken back in the same way.'
  static override examples = [
    'maki rollback example.com',
    'maki rollback example.com k3v7q2mdda -m "the new menu was broken"',
    'maki rollback example.com --hold -m "until the menu works"',
  ]
  static override args = {
    domain: domainArg,
    release: Args.string({
      ignoreStdin: true,
      description: 'The release, or the beginning of its id (maki release list).',
    }),
  }
  static override flags = {
    message: messageFlag,
    hold: Flags.boolean({ summary: 'Keep it so: sync publishes nothing to the domain until maki release resume.' }),
  }

  override async run(): Promise<RollbackResult> {
    const { args, flags } = await this.parse(Rollback)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { domain, releases, purged } = await openDomain(client, args.domain)
    const target = chooseRollback({ domain: domain.apex, releases, served: domain.release?.id, purged }, args.release)
    const result = { domain: domain.apex, to: target.operation.id, held: flags.hold || domain.held }
    const hold: Change[] = flags.hold && !domain.held ? [{ kind: 'release.hold', domain: domain.apex, hold: true }] : []
    const isThere = domain.release !== undefined && isServed(domain, target)
    if (domain.release !== undefined && isThere && hold.length === 0) {
      return { ...result, changed: false, release: domain.release.id, words: [], node: null }
    }
    if (!isThere)
      await this.#requireWhole(
        client,
        target,
        releases.filter(({ operation }) => !purged.has(operation.id)),
      )
    const changes = [...(isThere ? [] : restore(client.state, target)), ...hold]
    const operation = await client.commit(changes, {
      signer,
      message: flags.message,
    })
    const { machine } = await this.send(client, operation.id)
    return {
      ...result,
      changed: true,
      release: isThere && domain.release !== undefined ? domain.release.id : operation.id,
      words: changes.map(describeChange),
      node: machine ?? null,
    }
  }

  /** Nodes take only releases that they have whole; this says so before anything is written, and what could be chosen. */
  async #requireWhole(
    client: ClusterClient,
    target: PublishedRelease,
    releases: readonly PublishedRelease[],
  ): Promise<void> {
    const found = await findMissing(client, target)
    if (found === undefined || found.kept === 'whole') return
    const { machine } = await client.requireReach()
    const kept = await listKept(client, releases)
    const left = releases.filter(
      ({ operation }) => operation.id !== target.operation.id && kept?.has(operation.id) === true,
    )
    const what = found.kept === 'gone' ? 'its files are' : `${found.missing} of its files are`
    throw gone(target.operation.id, `${machine.name} says that ${what}`, describeChoice(left))
  }

  protected format({ changed, domain, to, words, held, node }: RollbackResult, style: Style): string {
    if (held) this.note(`sync publishes nothing to ${domain} until: maki release resume ${domain}`)
    if (!changed) return `${domain} serves release ${shortId(to)} already; nothing was written.`
    return [`${style.good('Done')}${node === null ? '' : ` at ${node}`}:`, ...words.map((line) => `  ${line}`)].join(
      '\n',
    )
  }
}

function isServed(domain: DomainView, target: PublishedRelease): boolean {
  const same = domain.release !== undefined && isSameContent(domain.release, target.change)
  return same && domain.aliases.join() === target.change.aliases.join()
}

function restore(state: State, { operation, change }: PublishedRelease): readonly Change[] {
  const { kind, domain, via, ...content } = change
  return planRestore(state, domain, content, operation.id)
}
