import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Args } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import type { BackupStart } from '../backup/read-backup.ts'
import { handOver, type RestoreReport, readStart, restoreBlobs, restoreOperations } from '../backup/restore-backup.ts'
import { defaultDataFolder, findProfile, findProfilePath, loadProfile, updateProfile } from '../config/index.ts'
import type { Style } from '../output/style.ts'
import { count, plainLine } from '../output/text.ts'
import { yesFlag } from '../program/arguments.ts'
import { MakiCommand } from '../program/base.ts'

export default class Restore extends MakiCommand<RestoreReport> {
  static override summary = 'Bring back what a backup has and this computer or the nodes lack.'
  static override description =
    'Merges: what was written since stays, and nothing is taken back (maki rollback and maki undo go back in time). On a computer without a profile it writes one. Where a node answers, it is given what it lacks, files too; where none does, the history is here then, for maki cluster recover and maki cluster rebuild, and the same command sends the files when there is a node. It may be typed again at any time.'
  static override examples = ['maki restore cluster.tar.zst', 'maki restore cluster.tar.zst --profile other.toml --yes']
  static override args = {
    file: Args.string({ required: true, ignoreStdin: true, description: 'What maki backup has written.' }),
  }
  static override flags = { yes: yesFlag }

  override async run(): Promise<RestoreReport> {
    const { args, flags } = await this.parse(Restore)
    if (flags.key !== undefined || this.host.env.MAKIATTO_KEY)
      throw new MakiError('MAKI_USAGE', 'a backup is restored to the copy on a computer, and a key file has none', {
        hint: 'Leave --key and MAKIATTO_KEY out.',
      })
    const start = await readStart(args.file)
    const { cluster, name, madeAt, operations: total, blobs } = start.head
    this.note(`A backup of ${plainLine(name)} (${cluster}), made ${plainLine(madeAt)}: ${count(total, 'operation')}.`)
    const { profile, isNew } = await this.#requireProfile(start, flags)
    await using client = await this.openClient({ ...flags, profile })
    const { read, added, refused } = await restoreOperations(client, args.file)
    if (refused.length > 0)
      this.caution(`${count(refused.length, 'operation')} of the backup are not valid: ${plainLine(refused[0] ?? '')}`)
    const reached = await client.reach()
    // First: no node takes a release of which it lacks files.
    const sent = reached && (await restoreBlobs(args.file, start.blobs, reached.control, client.signal))
    const { machine } = await client.exchange()
    const left = reached === undefined || machine === undefined ? 0 : await handOver(client, reached.control)
    if (left > 0)
      this.caution(
        `${machine} does not take ${count(left, 'operation')}: releases whose files are not in the backup either`,
      )
    return {
      cluster,
      name,
      madeAt,
      profile: isNew ? profile : null,
      operations: { read, added, refused: refused.length },
      files: blobs === null ? null : { inBackup: blobs, sent: sent ?? 0 },
      node: machine ?? null,
    }
  }

  protected format({ operations, files, node, profile }: RestoreReport, style: Style): string {
    const lines = profile === null ? [] : [`${style.good('Written')} ${profile}, the profile of the backup.`]
    const { read, added } = operations
    lines.push(
      `${style.good('Restored')} ${added} of ${count(read, 'operation')} here${read === added ? '' : '; the others were here'}.`,
    )
    if (node !== null) {
      const given =
        files === null ? '' : files.sent === 0 ? ', and every file' : `, and was given ${count(files.sent, 'file')}`
      lines.push(`${node} has all of it${given}.`)
    } else
      lines.push(
        '',
        'No node has answered. Next:',
        '  maki cluster recover --recovery-key FILE   where this computer is no operator',
        '  maki cluster rebuild                       where all nodes are lost',
        '  maki restore FILE                          again, when there is a node: it is given the files',
      )
    return lines.join('\n')
  }

  async #requireProfile(
    { head: { cluster }, profile: text }: BackupStart,
    flags: { readonly profile: string | undefined; readonly yes: boolean },
  ): Promise<{ readonly profile: string; readonly isNew: boolean }> {
    const { env, runtime, signal } = this.host
    const file = findProfilePath(flags.profile, env)
    const present = await findProfile(file, env)
    if (present !== undefined && present.cluster !== cluster)
      throw new MakiError('MAKI_CONFLICT', `${file} is the profile of another cluster (${present.cluster})`, {
        hint: 'For a profile of its own: maki restore FILE --profile OTHER.toml',
      })
    if (present !== undefined) return { profile: file, isNew: false }
    await this.confirm(`Write the profile of the backup to ${file}?`, flags.yes)
    await updateProfile(
      file,
      env,
      runtime,
      async (other) => {
        if (other !== undefined) return undefined
        const aside = `${file}.restored`
        try {
          await mkdir(dirname(file), { recursive: true })
          await writeFile(aside, text, { mode: 0o644 })
          const { warnings: _, ...read } = await loadProfile(aside, env)
          if (read.cluster !== cluster)
            throw new MakiError('MAKI_INVALID', 'the profile in the backup is of another cluster', {
              hint: 'Write one yourself: maki machine add USER@HOST',
            })
          return { ...read, file, dataFolder: defaultDataFolder(cluster, env) }
        } finally {
          await rm(aside, { force: true })
        }
      },
      { signal },
    )
    return { profile: file, isNew: true }
  }
}
