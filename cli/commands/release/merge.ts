import { Readable } from 'node:stream'
import { Flags } from '@oclif/core'
import { type Change, type Hostname, keys, MakiError, type OperationId, shortId } from '../../../core/index.ts'
import { type ComputedMerge, computeMerge, encodePack } from '../../../replication/local/index.ts'
import type { ClusterClient } from '../../client/cluster-client.ts'
import type { Style } from '../../output/style.ts'
import { count, formatBytes, plainLine } from '../../output/text.ts'
import { domainArg, messageFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { describeHold, findHold } from '../../release/hold.ts'
import { blobsOf } from '../../release/manifests.ts'
import { openDomain } from '../../release/open-domain.ts'

interface MergeResult {
  readonly changed: boolean
  readonly dryRun: boolean
  readonly domain: Hostname
  /** The releases side by side, greatest first. */
  readonly sides: readonly OperationId[]
  readonly base: OperationId | null
  readonly files: number
  readonly bytes: number
  /** Paths that two sides changed differently: the greatest side's file stands. */
  readonly contested: readonly string[]
  readonly operation: OperationId | null
  readonly node: string | null
}

/** More are only counted. */
const MAX_SHOWN = 50

export default class ReleaseMerge extends MakiCommand<MergeResult> {
  static override summary = 'Publish releases that were made at once, without knowing of each other, as one.'
  static override description =
    'Path by path: what one side changed is as that side has it. Where two sides changed a file differently, the file of the release that won stands; these are listed. The result is a release that has seen all sides, so the conflict is over.'
  static override examples = ['maki release merge example.com --dry-run', 'maki release merge example.com']
  static override args = {
    domain: domainArg,
  }
  static override flags = {
    message: messageFlag,
    'dry-run': Flags.boolean({ summary: 'Only show what it would be.' }),
  }

  override async run(): Promise<MergeResult> {
    const { args, flags } = await this.parse(ReleaseMerge)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { domain } = await openDomain(client, args.domain)
    const { apex } = domain
    const { replica } = client.local
    const sides = replica.frontier(keys.release(apex)).map(({ operation }) => operation)
    const nothing = { changed: false, dryRun: flags['dry-run'], domain: apex, operation: null, node: null }
    if (sides.length < 2)
      return {
        ...nothing,
        sides,
        base: null,
        files: domain.release?.files ?? 0,
        bytes: domain.release?.bytes ?? 0,
        contested: [],
      }
    const hold = await findHold(replica, apex)
    if (hold !== undefined)
      throw new MakiError('MAKI_CONFLICT', describeHold(apex, hold), { hint: `maki release resume ${apex}` })
    const computed = await computeMerge(replica, blobsOf(client), apex)
    if (computed === undefined)
      throw new MakiError(
        'MAKI_CONFLICT',
        `the releases of ${apex} side by side cannot be merged: one is a rollback, or has the same files`,
        {
          hint: `Choose one: maki rollback ${apex} ${shortId(sides[0] as OperationId)}`,
        },
      )
    const { release, merge, plan } = computed
    const result = {
      ...nothing,
      sides: plan.sides.map(({ id }) => id),
      base: plan.base?.id ?? null,
      files: release.files,
      bytes: release.bytes,
      contested: merge.contested,
    }
    if (flags['dry-run']) return result
    await sendManifest(client, computed)
    const operation = await client.commit(describeRelease(computed, domain.aliases), {
      signer,
      message: flags.message ?? `merge ${plan.sides.map(({ id }) => shortId(id)).join(', ')}`,
    })
    const { machine } = await this.send(client, operation.id)
    return { ...result, changed: true, operation: operation.id, node: machine ?? null }
  }

  protected format(result: MergeResult, style: Style): string {
    const { changed, dryRun, domain, sides, files, bytes, contested, node } = result
    if (sides.length < 2) return `${domain} has no releases side by side; nothing was written.`
    const what = `${sides.map(shortId).join(', ')}: ${count(files, 'file')}, ${formatBytes(bytes)}`
    const lines = [
      changed
        ? `${style.good('Merged')} ${what}${node === null ? '' : ` at ${node}`}.`
        : `${dryRun ? 'Would merge' : 'Merge of'} ${what}; nothing was written.`,
    ]
    if (contested.length > 0) {
      lines.push(
        '',
        `${count(contested.length, 'path')} changed on two sides; the file of ${shortId(sides[0] as OperationId)} stands:`,
      )
      lines.push(...contested.slice(0, MAX_SHOWN).map((path) => `  ${style.warn('!')} ${plainLine(path)}`))
      if (contested.length > MAX_SHOWN) lines.push(`  … and ${contested.length - MAX_SHOWN} more`)
    }
    return lines.join('\n')
  }
}

/** The merged manifest is new; every file that it names is one of a side. */
async function sendManifest(client: ClusterClient, { release, bytes }: ComputedMerge): Promise<void> {
  const item = { hash: release.manifest, sizeBytes: bytes.length, chunks: Readable.from([Buffer.from(bytes)]) }
  const { control } = await client.requireReach()
  await control.putBlobPack(encodePack([item]), client.signal)
}

/** Aliases have keys of their own, whose conflicts end there; a release tells which hosts were live with it. */
function describeRelease({ release }: ComputedMerge, aliases: readonly Hostname[]): readonly Change[] {
  const { id, merge, domain, ...content } = release
  return [{ kind: 'release.publish', domain, ...content, aliases: [...aliases].sort() }]
}
