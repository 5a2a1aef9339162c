import { Flags } from '@oclif/core'
import { type BlobHash, MakiError, Manifest, namedBlobs, type Release } from '../../../core/index.ts'
import type { ClusterClient } from '../../client/cluster-client.ts'
import { describeRebuild, formatRebuild, type Rebuild, type RebuiltDomain } from '../../cluster/format-rebuild.ts'
import { type KeptDomain, planRebuild } from '../../cluster/plan-rebuild.ts'
import { updateProfile } from '../../config/index.ts'
import type { Style } from '../../output/style.ts'
import { count, plainLine } from '../../output/text.ts'
import { yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'

export default class ClusterRebuild extends MakiCommand<Rebuild> {
  static override summary = 'Begin anew on other servers, from the copy on this computer, when every node is lost.'
  static override description =
    'Says what the copy has and what is gone, and asks. Takes all nodes out of the cluster in one operation, and their machines out of the profile; then maki machine init makes new ones of the same cluster: history, records, people and the recovery key stay. Refused where a node still answers. With --offline nobody is asked, and all nodes are taken for lost.'
  static override examples = [
    'maki cluster rebuild',
    'maki cluster rebuild --compromised',
    'maki cluster rebuild --offline --yes',
  ]
  static override flags = {
    compromised: Flags.boolean({
      summary:
        'The servers are in strange hands: revoke their keys, so that nothing counts of them that is not known here.',
    }),
    yes: yesFlag,
  }

  override async run(): Promise<Rebuild> {
    const { flags } = await this.parse(ClusterRebuild)
    const keyFile = flags.key ?? (this.host.env.MAKIATTO_KEY || undefined)
    if (keyFile !== undefined)
      throw new MakiError('MAKI_USAGE', 'a cluster is rebuilt from the copy on a computer, and a key file has none', {
        hint: 'Leave --key and MAKIATTO_KEY out.',
      })
    await using client = await this.openClient(flags)
    const { machine } = await client.exchange()
    if (!client.local.isKnown) throw unknownHere(client)
    if (machine !== undefined)
      throw new MakiError('MAKI_CONFLICT', `${machine} answers, so not every node is lost`, {
        hint: 'For each one that is: maki machine remove NAME',
      })
    const signer = await client.requireSigner()
    const how = flags.compromised ? 'revoke' : 'retire'
    const { replica } = client.local
    const plan = planRebuild(replica, signer.key, how)
    const { machines } = client.profile
    const forgotten = machines.map(({ name }) => name)
    const changed = plan.changes.length > 0 || forgotten.length > 0
    let operation: Rebuild['operation'] = null
    if (changed) {
      this.note(describeRebuild(plan, { operations: replica.count, how, forgotten }).join('\n'))
      const question =
        plan.lost.length === 0
          ? 'Take the machines out of the profile?'
          : `Give up ${count(plan.lost.length, 'node')} of ${plainLine(plan.cluster)}?`
      await this.confirm(question, flags.yes)
      // First: a run that is cut between the two is done by another one.
      if (plan.changes.length > 0)
        operation = (await client.commit(plan.changes, { signer, message: 'rebuilt: all nodes are lost' })).id
      await this.#forget(client)
    }
    return {
      cluster: client.profile.cluster,
      changed,
      removed: plan.lost.map((node) => ({
        ...node,
        sshTarget: machines.find(({ name }) => name === node.name)?.sshTarget ?? null,
      })),
      how,
      voids: plan.voids,
      operation,
      forgotten,
      domains: await Promise.all(plan.domains.map((domain) => this.#look(client, domain))),
      sealed: plan.sealed,
      peers: plan.peers,
    }
  }

  protected format(rebuild: Rebuild, style: Style): string {
    return formatRebuild(rebuild, style)
  }

  /** A profile without machines: the next `maki machine init` sets up the first one of this cluster. */
  async #forget({ profile }: ClusterClient): Promise<void> {
    const { env, runtime, signal } = this.host
    const gone = new Set(profile.machines.map(({ name }) => name))
    await updateProfile(
      profile.file,
      env,
      runtime,
      (present) => present && { ...present, machines: present.machines.filter(({ name }) => !gone.has(name)) },
      { signal },
    )
  }

  async #look({ blobs }: ClusterClient, kept: KeptDomain): Promise<RebuiltDomain> {
    const { release } = kept
    if (release === null) return { ...kept, release, filesWaitHere: false }
    const filesWaitHere = blobs !== undefined && (await isWhole(release, blobs))
    const { id, files, bytes } = release
    return { ...kept, release: { id, files, bytes }, filesWaitHere }
  }
}

/** Whether every file of a release waits on this computer, since no node has taken it yet. */
async function isWhole(
  release: Release,
  blobs: Pick<NonNullable<ClusterClient['blobs']>, 'find' | 'missing'>,
): Promise<boolean> {
  const bytes = await blobs.find(release.manifest)
  if (bytes === undefined) return false
  const wanted: BlobHash[] = [...Manifest.decode(bytes).files()].map(({ hash }) => hash)
  return (await blobs.missing([...namedBlobs(release), ...wanted])).length === 0
}

const unknownHere = (client: ClusterClient) =>
  new MakiError('MAKI_NOT_FOUND', `there is no copy of the cluster ${client.profile.cluster} on this computer`, {
    hint: 'Type it on another computer of an operator. A copy is made by the first command that reaches a node.',
  })
