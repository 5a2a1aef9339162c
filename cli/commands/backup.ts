import { Args, Flags } from '@oclif/core'
import { type BackupReport, makeBackup } from '../backup/make-backup.ts'
import { defaultDataFolder, formatProfile } from '../config/index.ts'
import type { Style } from '../output/style.ts'
import { count, formatBytes } from '../output/text.ts'
import { MakiCommand } from '../program/base.ts'

export default class Backup extends MakiCommand<BackupReport> {
  static override summary = 'Write all of the cluster into one file: the history, and the files of all kept releases.'
  static override description =
    'The file is a tar archive, compressed with Zstandard, that tar --zstd opens too. No private key is in it: keep the recovery key beside it, elsewhere. What is sealed to nodes only they can open: certificates are ordered anew after a restore, and maki sync seals the variables of functions again. Exit code 1 where the node that answers lacks files that are served.'
  static override examples = ['maki backup cluster.tar.zst', 'maki backup history.tar.zst --without-files --offline']
  static override args = {
    file: Args.string({ required: true, ignoreStdin: true, description: 'The file to write; never over another.' }),
  }
  static override flags = {
    'without-files': Flags.boolean({ summary: 'Only the history, which is on this computer: no node is needed.' }),
  }

  override async run(): Promise<BackupReport> {
    const { args, flags } = await this.parse(Backup)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { env } = this.host
    const { profile } = client
    const text = formatProfile({ ...profile, dataFolder: defaultDataFolder(profile.cluster, env) }, env)
    const withFiles = !flags['without-files']
    const report = await makeBackup(client, args.file, { profile: text, withFiles })
    for (const { domain, files } of report.missing)
      this.caution(`${count(files, 'file')} of ${domain} are not on the node that answered: maki health says more`)
    if (report.missing.length > 0) this.exitCode = 1
    return report
  }

  protected format({ file, operations, files, bytes }: BackupReport, style: Style): string {
    const parts = [
      count(operations, 'operation'),
      files === null ? 'no files' : `${count(files, 'file')} of ${formatBytes(bytes)}`,
    ]
    return `${style.good('Written')} to ${file}: ${parts.join(', ')}. maki restore brings it back; the recovery key is not in it.`
  }
}
