import { Args } from '@oclif/core'
import { type CertificateName, coversName, keys, type OperationId, type State } from '../../../core/index.ts'
import { requireCertificate } from '../../certificates.ts'
import type { Style } from '../../output/style.ts'
import { messageFlag, yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'

interface RemovedCertificate {
  readonly name: CertificateName
  readonly names: readonly CertificateName[]
  /** Of these, those that no other certificate is for. */
  readonly bare: readonly CertificateName[]
  readonly operation: OperationId
  readonly node: string | null
}

export default class CertRemove extends MakiCommand<RemovedCertificate> {
  static override summary = 'Take a certificate away, like one that was imported by mistake.'
  static override description =
    'Its private key goes with it and cannot be had back; maki undo does not bring it. Where a name leads to the nodes, they order another one. It is not revoked: that is done where it was issued.'
  static override examples = [
    'maki cert remove example.com',
    'maki cert remove example.com --yes -m "imported by mistake"',
  ]
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'Its name, or a host that it is for.' }),
  }
  static override flags = { message: messageFlag, yes: yesFlag }

  override async run(): Promise<RemovedCertificate> {
    const { args, flags } = await this.parse(CertRemove)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { name, names, directory } = requireCertificate(client.state, args.name)
    const bare = findBare(client.state, name, names)
    this.note(`The certificate ${name} is for ${names.join(', ')}.`)
    if (bare.length > 0)
      this.note(`No other one is for ${bare.join(', ')}: visitors get an error there, unless the nodes get another.`)
    if (directory !== undefined) this.note('The nodes ordered it themselves, and may order the next at once.')
    await this.confirm(`Remove the certificate ${name} and its private key?`, flags.yes)
    const change = { kind: 'certificate.remove', name } as const
    const operation = await client.commit([change], { signer, message: flags.message })
    const { machine } = await this.send(client, operation.id)
    return { name, names, bare, operation: operation.id, node: machine ?? null }
  }

  protected format({ name, bare, node }: RemovedCertificate, style: Style): string {
    const where = node === null ? '' : ` (at ${node})`
    const next = bare.length === 0 ? '' : ' maki cert list says what the nodes do about its names.'
    return `${style.good('Removed')} the certificate ${name}${where}.${next}`
  }
}

function findBare(state: State, name: CertificateName, names: readonly CertificateName[]): readonly CertificateName[] {
  const others = state.ids('certificate').flatMap((id) => {
    const value = state.get(keys.certificate(id as CertificateName))?.value as { names: CertificateName[] } | undefined
    return id === name || value === undefined ? [] : [value.names]
  })
  return names.filter((one) => !others.some((other) => coversName(other, one)))
}
