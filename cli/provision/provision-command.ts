import { ClusterClient } from '../client/cluster-client.ts'
import { dataFolderAt } from '../client/data-folder.ts'
import { findProfile, type ProfileContent } from '../config/index.ts'
import { type GlobalFlags, MakiCommand } from '../program/base.ts'
import { KeyRing } from '../ssh/index.ts'
import { StepList } from './step-list.ts'

type Flags = Pick<GlobalFlags, 'profile' | 'key' | 'ssh-priv-key'>

/** What commands that make profiles have in common: they tell steps, and no profile need be there. */
export abstract class ProvisionCommand<Result> extends MakiCommand<Result> {
  protected createSteps(): StepList {
    return new StepList(this.host, { quiet: this.isJson })
  }

  /** The keys to servers, asked for with the list of steps out of the way. */
  protected async createKeyRing(flags: Flags, profileFile: string, steps: StepList): Promise<KeyRing> {
    const { env, ask, askSecret } = this.host
    const profile = await findProfile(profileFile, env).catch(() => undefined)
    const operatorKeyFile = profile === undefined ? undefined : dataFolderAt(profile.dataFolder).keyFile
    return new KeyRing({
      env,
      keyFile: flags['ssh-priv-key'],
      makiKeyFile: flags.key ?? (env.MAKIATTO_KEY || undefined),
      operatorKeyFile,
      ask: this.isJson ? undefined : steps.asking(ask),
      askSecret: this.isJson ? undefined : steps.asking(askSecret),
    })
  }

  /** The cluster by a profile that need not be on the disk; machines are connected to by the keys of the ring. */
  protected openProfile(
    profile: ProfileContent,
    flags: Flags,
    keyRing: KeyRing,
    { offline, node }: { offline: boolean; node?: string },
  ): Promise<ClusterClient> {
    const content = { ...profile, warnings: [] }
    return ClusterClient.open({
      profile: content,
      connect: this.createConnect(content, flags, keyRing),
      host: this.host,
      log: this.eventLog,
      offline,
      ...(node === undefined ? {} : { node }),
      onCaution: (text) => this.caution(text),
    })
  }
}
