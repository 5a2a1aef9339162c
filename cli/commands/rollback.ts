import { Args, Flags } from '@oclif/core'
import {
  type Change,
  type DomainView,
  findDomain,
  MakiError,
  type OperationId,
  type State,
  shortId,
} from '../../core/index.ts'
import { requireDomain } from '../domain-of.ts'
import { describeChange } from '../output/describe-change.ts'
import type { Style } from '../output/output.ts'
import { MakiCommand } from '../program/base.ts'
import { chooseRollback, listReleases, type PublishedRelease } from '../releases.ts'

interface RollbackResult {
  readonly changed: boolean
  readonly domain: string
  /** The release whose content is served (again). */
  readonly to: OperationId
  /** The release that serves it now. */
  readonly release: OperationId
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
  ]
  static override args = {
    domain: Args.string({ required: true, ignoreStdin: true, description: 'The domain, like example.com.' }),
    release: Args.string({
      ignoreStdin: true,
      description: 'The release, or the beginning of its id (maki release list).',
    }),
  }
  static override flags = {
    message: Flags.string({ char: 'm', summary: 'Why, for the history.', helpValue: 'TEXT' }),
    hold: Flags.boolean({ hidden: true }),
  }

  override async run(): Promise<RollbackResult> {
    const { args, flags } = await this.parse(Rollback)
    if (flags.hold) {
      throw new MakiError('MAKI_USAGE', '--hold comes with a later version', {
        hint: 'Leave it out, and pause your deployments yourself.',
      })
    }
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const domain = requireDomain(client.state, args.domain)
    const releases = await listReleases(client.local.replica, domain.apex)
    const target = chooseRollback(releases, domain.apex, domain.release?.id, args.release)
    const result = { domain: domain.apex, to: target.operation.id }
    if (domain.release !== undefined && isServed(domain, target)) {
      return { ...result, changed: false, release: domain.release.id, words: [], node: null }
    }
    const changes = planRollback(client.state, domain, target)
    const operation = await client.commit(changes, {
      signer,
      ...(flags.message === undefined ? {} : { message: flags.message }),
    })
    const { machine } = await this.send(client, operation.id)
    return {
      ...result,
      changed: true,
      release: operation.id,
      words: changes.map(describeChange),
      node: machine ?? null,
    }
  }

  protected format({ changed, domain, to, words, node }: RollbackResult, style: Style): string {
    if (!changed) return `${domain} serves release ${shortId(to)} already; nothing was written.`
    return [`${style.good('Done')}${node === null ? '' : ` at ${node}`}:`, ...words.map((line) => `  ${line}`)].join(
      '\n',
    )
  }
}

function isServed(domain: DomainView, target: PublishedRelease): boolean {
  const same = domain.release?.tree === target.change.tree
  return same && domain.aliases.join() === target.change.aliases.join()
}

/** A new release with the old content, and the aliases that were live with it. Pure. */
export function planRollback(state: State, domain: DomainView, { operation, change }: PublishedRelease): Change[] {
  const { apex } = domain
  const { commit, via, ...content } = change
  const wanted = new Set(change.aliases)
  // A host that another domain uses by now is not taken from it.
  const free = change.aliases.filter((host) => !isTaken(state, domain, host))
  return [
    { ...content, rollbackOf: operation.id, aliases: free, ...(commit === undefined ? {} : { commit }) },
    ...free
      .filter((host) => !domain.aliases.includes(host))
      .map((host) => ({ kind: 'alias.set' as const, domain: apex, host })),
    ...domain.aliases
      .filter((host) => !wanted.has(host))
      .map((host) => ({ kind: 'alias.remove' as const, domain: apex, host })),
  ]
}

function isTaken(state: State, domain: DomainView, host: DomainView['aliases'][number]): boolean {
  return state
    .ids('domain')
    .some(
      (id) =>
        id !== domain.apex && (id === host || findDomain(state, id as typeof host)?.aliases.includes(host) === true),
    )
}
