import { type ClusterId, findMember, type MemberKey, type Role } from '../../../core/index.ts'
import { readKeyFile } from '../../client/identity.ts'
import { ensureProfileKey } from '../../client/profile-key.ts'
import { plainLine, type Style } from '../../output/output.ts'
import { MakiCommand } from '../../program/base.ts'

interface KeyResult {
  readonly cluster: ClusterId
  readonly key: MemberKey
  /** What the cluster knows the key as; null where it does not know it, as far as this computer has heard. */
  readonly name: string | null
  readonly role: Role | null
}

export default class OperatorKey extends MakiCommand<KeyResult> {
  static override summary = 'Print your public key; make one where there is none.'
  static override description = 'The public key is no secret: another operator needs it to admit you.'
  static override examples = ['maki operator key', 'maki operator key --json']

  override async run(): Promise<KeyResult> {
    const { flags } = await this.parse(OperatorKey)
    await using client = await this.openClient(flags)
    const keyFile = flags.key ?? (this.host.env.MAKIATTO_KEY || undefined)
    const signer =
      keyFile === undefined
        ? (await ensureProfileKey(client.profile, this.host.runtime)).signer
        : await readKeyFile(keyFile)
    await client.exchange()
    const member = findMember(client.state, signer.key)
    return { cluster: client.profile.cluster, key: signer.key, name: member?.name ?? null, role: member?.role ?? null }
  }

  protected format({ key, name, role }: KeyResult, style: Style): string {
    if (name !== null) this.note(style.dim(`The cluster knows it as the ${role} ${plainLine(name)}.`))
    else this.note(`The cluster does not know it. On a computer that is an operator: maki operator add NAME ${key}`)
    return key
  }
}
