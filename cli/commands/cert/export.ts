import { Args } from '@oclif/core'
import { requireCertificate } from '../../certificates.ts'
import { MakiCommand } from '../../program/base.ts'

interface ExportedCertificate {
  readonly name: string
  /** PEM; the certificate of the host first. */
  readonly chain: string
}

export default class CertExport extends MakiCommand<ExportedCertificate> {
  static override summary = 'Print a certificate and its chain in PEM.'
  static override description =
    'The private key is not exported: it is sealed to the nodes and cannot leave them, whoever asks.'
  static override examples = ['maki cert export example.com > fullchain.pem']
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'Its name, or a host that it is for.' }),
  }

  override async run(): Promise<ExportedCertificate> {
    const { args, flags } = await this.parse(CertExport)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { name, chain } = requireCertificate(client.state, args.name)
    this.note('The private key stays on the nodes.')
    return { name, chain }
  }

  protected format({ chain }: ExportedCertificate): string {
    // Written by somebody else: PEM and nothing that a terminal would obey.
    return chain.replace(/[^\x20-\x7e\n]/g, '').trimEnd()
  }
}
