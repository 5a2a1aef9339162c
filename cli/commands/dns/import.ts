import { basename } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { MakiError, type OperationId, parseHostname, type RecordValue, shortId } from '../../../core/index.ts'
import type { MasterFault, MasterFile } from '../../../dns/index.ts'
import type { ClusterClient } from '../../client/cluster-client.ts'
import type { Style } from '../../output/style.ts'
import { count, plainLine } from '../../output/text.ts'
import { domainArg, messageFlag, yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { listAutomaticSets } from '../../record/automatic-sets.ts'
import type { LeftOut } from '../../record/draft-import.ts'
import { type ImportPlan, type PlannedSet, planImport } from '../../record/plan-import.ts'
import { formatFault, readMasterFile, throwFaults } from '../../record/read-master-file.ts'
import { splitChanges } from '../../record/split-changes.ts'
import { requireDomain } from '../../require-domain.ts'

/** An RRset in the result, as it is after the import, or was before its removal. */
interface RecordView {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly values: readonly string[]
  readonly geo: boolean
  /** What it was; null for one that is new or gone. */
  readonly before: { readonly ttl: number; readonly values: readonly string[]; readonly geo: boolean } | null
}

interface ImportResult {
  readonly domain: string
  readonly file: string
  readonly dryRun: boolean
  /** Empty where nothing was written. */
  readonly operations: readonly OperationId[]
  /** Where they are durable; null while they wait. */
  readonly node: string | null
  readonly added: readonly RecordView[]
  readonly changed: readonly RecordView[]
  readonly removed: readonly RecordView[]
  /** RRsets of the file that are there already. */
  readonly same: number
  readonly leftOut: readonly LeftOut[]
  /** Left out because of `--skip-invalid`; the first hundred. */
  readonly invalid: readonly MasterFault[]
  readonly invalidCount: number
  readonly notes: readonly string[]
}

/** Lines of each kind that are shown; `--json` has all. */
const MAX_SHOWN = 200

export default class DnsImport extends MakiCommand<ImportResult> {
  static override summary = 'Take over the records of a master file (BIND zone file).'
  static override description =
    'Adds and changes what the file has; other records stay, unless --replace says otherwise. It leaves out, and names, what the cluster does itself: SOA, the NS records of the domain, signatures, and what it answers by itself already. Nothing is written when one line has a fault. All of it is one operation, or as few as fit 1 MiB each.'
  static override examples = [
    'maki dns import example.com zone.txt --dry-run',
    'maki dns import example.com zone.txt',
    'kdig @ns1.old-provider.example example.com AXFR | maki dns import example.com -',
    'maki dns import example.com template.zone --domain-from example.org',
  ]
  static override args = {
    domain: domainArg,
    file: Args.string({ required: true, ignoreStdin: true, description: 'The master file; - is standard input.' }),
  }
  static override flags = {
    'dry-run': Flags.boolean({ summary: 'Only show what would be written.' }),
    replace: Flags.boolean({
      summary: 'Remove the records of the domain that the file does not have. Asks first.',
      exclusive: ['skip-invalid'],
    }),
    'keep-ns': Flags.boolean({ summary: 'Take over the NS records of the domain itself too.' }),
    'skip-invalid': Flags.boolean({ summary: 'Leave out lines with faults instead of writing nothing.' }),
    'domain-from': Flags.string({
      helpValue: 'DOMAIN',
      summary: 'The domain that the file is of, where it is another: its names become names of this one.',
    }),
    message: messageFlag,
    yes: yesFlag,
  }

  override async run(): Promise<ImportResult> {
    const { args, flags } = await this.parse(DnsImport)
    const { replace, 'keep-ns': keepNs, 'dry-run': dryRun } = flags
    const domain = parseHostname(args.domain)
    const from = flags['domain-from'] === undefined ? undefined : parseHostname(flags['domain-from'])
    const options = from === undefined ? { origin: domain } : { origin: from, moveTo: domain }
    const name = args.file === '-' ? 'standard input' : args.file
    await using client = await this.openClient(flags)
    await this.#meet(client, dryRun)
    requireDomain(client.state, domain)
    const file = await readMasterFile(args.file, this.host.cwd, options)
    requireSameDomain(file, domain)
    if (!flags['skip-invalid']) throwFaults(name, file.faults, file.faultCount)
    const plan = planFile(client, domain, file, { replace, keepNs })
    if (!flags['skip-invalid']) throwFaults(name, plan.faults.slice(0, 100), plan.faults.length)
    const invalid = [...file.faults, ...plan.faults].sort((a, b) => a.line - b.line)
    const result = {
      domain,
      file: name,
      dryRun,
      added: plan.added.map(viewSet),
      changed: plan.changed.map(viewSet),
      removed: plan.removed.map(viewSet),
      same: plan.same,
      leftOut: plan.leftOut,
      invalid: invalid.slice(0, 100),
      invalidCount: file.faultCount + plan.faults.length,
      notes: plan.notes,
    }
    for (const fault of result.invalid) this.caution(`left out ${formatFault(name, fault)}`)
    for (const note of plan.notes) this.note(note)
    if (dryRun || plan.changes.length === 0) return { ...result, operations: [], node: null }
    if (plan.removed.length > 0) {
      this.note(formatSets('-', result.removed, this.noteStyle.bad).join('\n'))
      await this.confirm(
        `Remove ${count(plan.removed.length, 'RRset')} of ${domain} that ${name} does not have?`,
        flags.yes,
      )
    }
    const signer = await client.requireSigner()
    const operations: OperationId[] = []
    const message = flags.message ?? `import ${args.file === '-' ? 'a master file' : basename(args.file)}`
    for (const changes of splitChanges(plan.changes)) {
      operations.push((await client.commit(changes, { signer, message })).id)
    }
    const { machine } = await this.send(client, operations.at(-1) as OperationId)
    return { ...result, operations, node: machine ?? null }
  }

  protected format(result: ImportResult, style: Style): string {
    const { added, changed, removed, same, leftOut, invalidCount } = result
    return [
      formatHead(result, style),
      ...formatSets('+', added, style.good),
      ...formatSets('~', changed, style.warn),
      ...formatSets('-', removed, style.bad),
      ...(same === 0 ? [] : [`  = ${count(same, 'RRset is', 'RRsets are')} so already`]),
      ...(invalidCount === 0 ? [] : [`${count(invalidCount, 'line')} with faults left out.`]),
      ...(leftOut.length === 0 ? [] : ['Left out:', ...formatLeftOut(leftOut)]),
    ].join('\n')
  }

  /** As other commands that write do, but a dry run needs no key. */
  async #meet(client: ClusterClient, dryRun: boolean): Promise<void> {
    if (dryRun) return await this.refresh(client)
    await client.exchange()
    await client.requireSigner()
  }
}

function planFile(
  { state }: ClusterClient,
  apex: ReturnType<typeof parseHostname>,
  file: MasterFile,
  options: { readonly replace: boolean; readonly keepNs: boolean },
): ImportPlan {
  const domain = requireDomain(state, apex)
  return planImport(domain, listAutomaticSets(state, domain), file, options)
}

/** A file of another domain would be left out line by line. */
function requireSameDomain({ records, setAside, faultCount }: MasterFile, domain: string): void {
  const isIn = ({ name }: { name: string }) => name === domain || name.endsWith(`.${domain}`)
  const other = setAside.find(({ why }) => why === 'soa')?.name ?? records[0]?.name
  if (other === undefined) {
    if (faultCount > 0) return
    throw new MakiError('MAKI_INVALID', 'the file has no record', { hint: 'Give the master file of the domain.' })
  }
  if (records.some(isIn) || setAside.some(isIn)) return
  throw new MakiError('MAKI_INVALID', `the file has no record of ${domain}; it is of ${plainLine(other)}`, {
    hint: `To make its names those of ${domain}: --domain-from ${plainLine(other)}`,
  })
}

function viewSet({ name, after, before }: PlannedSet): RecordView {
  const value = (after ?? before?.value) as RecordValue
  const view = ({ ttl, values, geo }: RecordValue) => ({ ttl, values, geo: geo === true })
  return {
    name,
    type: value.type,
    ...view(value),
    before: after === undefined || before === undefined ? null : view(before.value),
  }
}

function formatHead({ domain, file, dryRun, operations, node, ...rest }: ImportResult, style: Style): string {
  const { added, changed, removed } = rest
  const parts = [
    ...(added.length === 0 ? [] : [`${added.length} added`]),
    ...(changed.length === 0 ? [] : [`${changed.length} changed`]),
    ...(removed.length === 0 ? [] : [`${removed.length} removed`]),
  ]
  if (parts.length === 0 && rest.same === 0 && rest.leftOut.length === 0 && rest.invalidCount > 0)
    return `Nothing to do: no line of ${plainLine(file)} can be taken over.`
  if (parts.length === 0) return `Nothing to do: ${domain} has the records of ${plainLine(file)} already.`
  if (dryRun) return `Would import ${plainLine(file)} into ${domain} (${parts.join(', ')}); nothing was written:`
  const where = node === null ? '' : ` (at ${node})`
  const by = operations.length === 1 ? shortId(operations[0] as OperationId) : count(operations.length, 'operation')
  return `${style.good('Imported')} ${plainLine(file)} into ${domain} by ${by}${where}, RRsets: ${parts.join(', ')}.`
}

function formatSets(mark: string, sets: readonly RecordView[], paint: (text: string) => string): string[] {
  const lines = sets.slice(0, MAX_SHOWN).map((set) => {
    const was = set.before === null ? '' : ` (was ${formatValues(set.before)})`
    return `  ${paint(mark)} ${plainLine(set.name)} ${set.type} ${formatValues(set)}${was}`
  })
  return sets.length > MAX_SHOWN ? [...lines, `  ${mark} and ${sets.length - MAX_SHOWN} more`] : lines
}

const formatValues = ({ ttl, values, geo }: Pick<RecordView, 'ttl' | 'values' | 'geo'>): string => {
  const text = geo ? 'the best node' : plainLine(values.join(', '))
  return `${ttl} ${text.length > 120 ? `${text.slice(0, 117)}...` : text}`
}

function formatLeftOut(leftOut: readonly LeftOut[]): string[] {
  const lines = leftOut
    .slice(0, MAX_SHOWN)
    .map(({ name, type, line, why }) => `  ${plainLine(name)} ${type} (line ${line}): ${why}`)
  return leftOut.length > MAX_SHOWN ? [...lines, `  and ${leftOut.length - MAX_SHOWN} more`] : lines
}
