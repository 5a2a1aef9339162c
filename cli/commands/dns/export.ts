import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { asMakiError, MakiError } from '../../../core/index.ts'
import { formatMasterFile } from '../../../dns/records/index.ts'
import type { Style } from '../../output/style.ts'
import { count } from '../../output/text.ts'
import { domainArg } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { listExportSets } from '../../record/export-sets.ts'
import { requireDomain } from '../../require-domain.ts'

interface ExportResult {
  readonly domain: string
  /** The master file. */
  readonly text: string
  /** Records that stand in it, those in comments not counted. */
  readonly records: number
  /** Where it was written to; null for standard output. */
  readonly file: string | null
}

export default class DnsExport extends MakiCommand<ExportResult> {
  static override summary = 'Print the records of a domain as a master file (BIND zone file).'
  static override description =
    'Equal records give equal files. What the cluster adds by itself stands in comments; with --automatic as records, which makes it a zone that other name servers load. ALIAS and the records that hold the best node are known to no other program: they stand in comments that maki dns import reads.'
  static override examples = [
    'maki dns export example.com',
    'maki dns export example.com -o example.com.zone',
    'maki dns export example.com --automatic | named-checkzone example.com /dev/stdin',
  ]
  static override args = { domain: domainArg }
  static override flags = {
    automatic: Flags.boolean({
      summary: 'Also SOA, NS, CAA and the addresses of the nodes, as records; else in comments.',
    }),
    output: Flags.string({ char: 'o', helpValue: 'FILE', summary: 'Write it there instead of standard output.' }),
  }

  override async run(): Promise<ExportResult> {
    const { args, flags } = await this.parse(DnsExport)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const domain = requireDomain(client.state, args.domain)
    const sets = listExportSets(client.state, domain, flags.automatic)
    const text = formatMasterFile(domain.apex, sets, HEAD(domain.apex, flags.automatic))
    const records = sets.reduce((sum, set) => sum + (set.comment === undefined ? Math.max(set.values.length, 1) : 0), 0)
    const result = { domain: domain.apex, text, records, file: flags.output ?? null }
    if (flags.output !== undefined) await this.#write(flags.output, text)
    return result
  }

  protected format({ domain, text, records, file }: ExportResult, style: Style): string {
    if (file === null) return text.trimEnd()
    return `${style.good('Wrote')} ${count(records, 'record')} of ${domain} to ${file}.`
  }

  async #write(file: string, text: string): Promise<void> {
    try {
      await writeFile(resolve(this.host.cwd, file), text)
    } catch (cause) {
      throw new MakiError('MAKI_USAGE', `${file} cannot be written: ${asMakiError(cause).message}`, {
        cause,
        hint: 'Give a path in a folder that is there and may be written to.',
      })
    }
  }
}

const HEAD = (domain: string, automatic: boolean): readonly string[] => [
  `The records of ${domain}; maki dns import reads them again.`,
  automatic
    ? 'SOA, NS, CAA and the addresses of the nodes are among them as they are now: import leaves them out.'
    : 'Lines marked "automatic" are what the cluster answers with by itself.',
]
