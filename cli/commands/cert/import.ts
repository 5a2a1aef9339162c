import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import {
  asMakiError,
  type CertificateValue,
  formatPrivateKey,
  keys,
  MakiError,
  type OperationId,
  type Signer,
  sealPurpose,
} from '../../../core/index.ts'
import { type ImportedCertificate, listDoubts, readImport } from '../../certificates.ts'
import type { ClusterClient } from '../../client/cluster-client.ts'
import { listExposedPlaces, requireSealEpoch, sealFor } from '../../client/sealing.ts'
import type { Style } from '../../output/style.ts'
import { MakiCommand } from '../../program/base.ts'

/** A chain and a key are some kilobytes; devices never end. */
const MAX_FILE_BYTES = 1024 * 1024

interface ImportResult {
  readonly changed: boolean
  readonly name: string
  readonly names: readonly string[]
  readonly issuer: string
  readonly notAfter: string
  readonly operation: OperationId | null
  readonly node: string | null
}

export default class CertImport extends MakiCommand<ImportResult> {
  static override summary = 'Give the nodes a certificate that was issued elsewhere.'
  static override description =
    'The private key is sealed on this computer; only nodes can open it, and it never comes back. The same certificate again writes nothing.'
  static override examples = [
    'maki cert import fullchain.pem --private-key privkey.pem',
    'maki cert import cert.pem chain.pem --private-key privkey.pem',
    'openssl pkey -in encrypted.pem | maki cert import fullchain.pem --private-key -',
  ]
  static override strict = false
  static override args = {
    files: Args.string({
      required: true,
      ignoreStdin: true,
      description: 'PEM files: the certificate, and those of the authorities that signed it.',
    }),
  }
  static override flags = {
    'private-key': Flags.string({
      helpValue: 'FILE',
      summary:
        'PEM file of its private key, not encrypted; - is standard input. Default: it stands in one of the files.',
    }),
  }

  override async run(): Promise<ImportResult> {
    const { argv, flags } = await this.parse(CertImport)
    const keyFile = flags['private-key']
    const files = argv as string[]
    if ([...files, keyFile].filter((file) => file === '-').length > 1) {
      throw new MakiError('MAKI_USAGE', 'standard input is named twice, and can be read once', {
        hint: 'Where certificate and key come together, one - is enough: maki cert import -',
      })
    }
    const texts: string[] = []
    for (const file of files) texts.push(await this.#read(file))
    const keyText = keyFile === undefined ? undefined : await this.#read(keyFile)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const nowMs = this.host.runtime.now()
    const imported = readImport(client.state, texts, keyText, nowMs)
    for (const doubt of listDoubts(client.state, imported, nowMs)) this.caution(doubt)
    const { name, chain } = imported
    const result = {
      name,
      names: chain.names,
      issuer: chain.issuer,
      notAfter: new Date(chain.notAfterMs).toISOString(),
    }
    if (await this.#isThere(client, signer, imported)) return { ...result, changed: false, operation: null, node: null }
    const key = await sealKey(client, imported)
    const { names, pem, notBeforeMs, notAfterMs } = chain
    const change = { kind: 'certificate.set', name, names, chain: pem, key, notBeforeMs, notAfterMs } as const
    const operation = await client.commit([change], { signer })
    const { machine } = await this.send(client, operation.id)
    return { ...result, changed: true, operation: operation.id, node: machine ?? null }
  }

  protected format({ changed, name, names, notAfter, node }: ImportResult, style: Style): string {
    if (!changed) return `The certificate ${name} is there already; nothing was written.`
    const where = node === null ? '' : ` (at ${node})`
    return `${style.good('Imported')} ${name} for ${names.join(', ')}, valid until ${notAfter.slice(0, 10)}${where}.`
  }

  /** The same chain has the same key, unless somebody sealed another thing beside it: then a node says so. */
  async #isThere(client: ClusterClient, signer: Signer, imported: ImportedCertificate): Promise<boolean> {
    const { name, chain } = imported
    const present = client.state.get(keys.certificate(name))?.value as CertificateValue | undefined
    if (present === undefined || present.chain !== chain.pem) return false
    const purpose = sealPurpose.certificate(name)
    if (listExposedPlaces(client).has(purpose)) {
      this.caution(
        'a machine that was removed may know this private key: have a certificate issued for a new key, and import that',
      )
      return true
    }
    const reached = await client.reach()
    if (reached === undefined) return true
    const value = await sealKey(client, imported)
    const item = { purpose, sealed: present.key, value }
    const asker = { signer, cluster: client.profile.cluster }
    const [same] = await reached.control.compareSealed([item], asker, client.signal)
    return same === true
  }

  async #read(file: string): Promise<string> {
    // Not /dev/stdin: where another program writes to us through a socket, that cannot be opened.
    const stream = file === '-' ? process.stdin : createReadStream(resolve(this.host.cwd, file))
    try {
      return await readText(stream)
    } catch (cause) {
      throw new MakiError('MAKI_USAGE', `${file} cannot be read: ${asMakiError(cause).message}`, {
        cause,
        hint: 'Give the path of a PEM file.',
      })
    }
  }
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of stream) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_FILE_BYTES) throw new Error(`it has more than ${MAX_FILE_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function sealKey(client: ClusterClient, { name, key }: ImportedCertificate): Promise<CertificateValue['key']> {
  const epoch = await requireSealEpoch(client)
  return sealFor(client, epoch, sealPurpose.certificate(name), new TextEncoder().encode(formatPrivateKey(key)))
}
