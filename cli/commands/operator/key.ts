import { type ClusterId, findMember, type MemberKey, type Role, type Signer } from '../../../core/index.ts'
import { ensureKeyFile, readKeyFile } from '../../client/identity.ts'
import { ensureProfileKey } from '../../client/profile-key.ts'
import type { Profile } from '../../config/index.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

interface KeyResult {
  readonly cluster: ClusterId
  readonly key: MemberKey
  /** What the cluster knows the key as; null where it does not know it, as far as this computer has heard. */
  readonly name: string | null
  readonly role: Role | null
}

const deployKeyComment = (cluster: ClusterId): string => `A key for the makiatto cluster ${cluster}. Keep it secret.`

export default class OperatorKey extends MakiCommand<KeyResult> {
  static override summary = 'Print your public key; make one where there is none.'
  static override description =
    'The public key is no secret: another operator needs it to admit you. With --key FILE the key of that file, made where there is none: for a CI job.'
  static override examples = ['maki operator key', 'maki operator key --key ci.key', 'maki operator key --json']

  override async run(): Promise<KeyResult> {
    const { flags } = await this.parse(OperatorKey)
    await using client = await this.openClient(flags)
    const signer = await this.#findSigner(client.profile, flags.key)
    await client.exchange()
    const member = findMember(client.state, signer.key)
    return { cluster: client.profile.cluster, key: signer.key, name: member?.name ?? null, role: member?.role ?? null }
  }

  /** A variable that was set long ago makes no key: only what is typed does. */
  async #findSigner(profile: Profile, keyFile: string | undefined): Promise<Signer> {
    const { env, runtime } = this.host
    if (keyFile !== undefined) {
      const { signer, isNew } = await ensureKeyFile(keyFile, deployKeyComment(profile.cluster), runtime)
      if (isNew) this.note(`Made the key file ${plainLine(keyFile)}: keep it secret.`)
      return signer
    }
    return env.MAKIATTO_KEY ? await readKeyFile(env.MAKIATTO_KEY) : (await ensureProfileKey(profile, runtime)).signer
  }

  protected format({ key, name, role }: KeyResult, style: Style): string {
    if (name !== null) this.note(style.dim(`The cluster knows it as the ${role} ${plainLine(name)}.`))
    else this.note(`The cluster does not know it. On a computer that is an operator: maki operator add NAME ${key}`)
    return key
  }
}
