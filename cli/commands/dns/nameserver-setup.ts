import { getServers } from 'node:dns'
import { isIP } from 'node:net'
import { Args, Flags } from '@oclif/core'
import { type Hostname, listDomains } from '../../../core/index.ts'
import {
  checkDelegation,
  type DelegationCheck,
  type DelegationFinding,
  findOwnParent,
  type OwnServer,
  parseServerAddress,
  readOwnZone,
  type ServerAddress,
} from '../../delegation/index.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'
import { requireDomain } from '../../require-domain.ts'

/** What is to be entered for one domain. */
interface Setup {
  readonly domain: Hostname
  readonly nameServers: readonly OwnServer[]
  /** The zone above where that is ours too, and nothing is to be entered; else null. */
  readonly within: Hostname | null
  /** With `--check`. */
  readonly check?: DelegationCheck
}

const TIMEOUT_MS = 4_000

export default class DnsNameserverSetup extends MakiCommand<readonly Setup[]> {
  static override summary = 'Tell what to enter at the registrar, and check it.'
  static override description =
    'Prints the name servers of each domain and their glue. --check asks the name servers of the zone above, and each node: who is named there, with which addresses, whether a DS was left, and whether the nodes answer. While other name servers are named, their records are compared with ours, so that nothing is lost with the switch. Ends with 0 when all is right, 1 when it is not yet, 3 when nobody could be asked.'
  static override examples = [
    'maki dns nameserver-setup',
    'maki dns nameserver-setup --check example.com',
    'maki dns nameserver-setup --check example.com --resolver 9.9.9.9',
  ]
  static override strict = false
  static override args = {
    domains: Args.string({ ignoreStdin: true, description: 'The domains; all when left out.' }),
  }
  static override flags = {
    check: Flags.boolean({ summary: 'Ask the zone above, the nodes, and the present name servers.' }),
    resolver: Flags.string({
      helpValue: 'ADDR[:PORT]',
      summary: 'Who finds the name servers of the zone above; the resolver of this computer when left out.',
    }),
  }

  override async run(): Promise<readonly Setup[]> {
    const { argv, flags } = await this.parse(DnsNameserverSetup)
    const resolvers = flags.resolver === undefined ? listResolvers() : [parseServerAddress(flags.resolver)]
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state } = client
    const { runtime, signal } = this.host
    const all = listDomains(state).map(({ apex }) => apex)
    const domains = argv.length === 0 ? all : (argv as string[]).map((name) => requireDomain(state, name).apex)
    const reached = flags.check ? await client.reach() : undefined
    const statuses = (await reached?.control.status({ signal }).catch(() => reached.status))?.nodes ?? []
    const setups: Setup[] = []
    for (const domain of new Set(domains)) {
      const within = (findOwnParent(domain, all) ?? null) as Hostname | null
      const setup = { domain, nameServers: readOwnZone(state, domain)?.servers ?? [], within }
      const options = { state, statuses, resolvers, runtime, signal, timeoutMs: TIMEOUT_MS }
      setups.push(flags.check ? { ...setup, check: await checkDelegation(domain, options) } : setup)
    }
    const checks = setups.flatMap(({ check }) => check ?? [])
    if (checks.some(({ isAsked }) => !isAsked)) this.exitCode = 3
    else if (checks.some(({ findings }) => findings.some(({ level }) => level === 'wrong'))) this.exitCode = 1
    return setups
  }

  protected format(setups: readonly Setup[], style: Style): string {
    if (setups.length === 0) return 'There is no domain yet: maki sync adds those of a project.'
    return setups
      .map((setup) => (setup.check === undefined ? tell(setup, style) : tellCheck(setup.check, style)))
      .join('\n\n')
  }
}

/** Those of this computer; one with a scope (`fe80::1%eth0`) is left out. */
const listResolvers = (): readonly ServerAddress[] =>
  getServers()
    .filter((text) => isIP(text) !== 0 || /^\[?[0-9a-f.:]+\]?:\d+$/i.test(text))
    .map(parseServerAddress)

function tell({ domain, nameServers, within }: Setup, style: Style): string {
  if (within !== null) return `${style.bold(domain)} lies in ${within}, which is yours too: there is nothing to enter.`
  if (nameServers.length === 0)
    return `${style.bold(domain)} has no name server: maki machine set NAME --ns makes one of a machine.`
  const width = Math.max(...nameServers.map(({ name }) => name.length))
  const lines = nameServers.map(({ name, addresses }) =>
    `  ${plainLine(name).padEnd(width)}  ${addresses.join(', ')}`.trimEnd(),
  )
  return [
    `At the registrar of ${style.bold(domain)}, enter these name servers, with their addresses as glue (also: host records):`,
    ...lines,
    `Then: maki dns nameserver-setup --check ${domain}`,
  ].join('\n')
}

function tellCheck(check: DelegationCheck, style: Style): string {
  const { domain, parent, nodes, records, findings, isAsked } = check
  const bad = findings.filter(({ level }) => level === 'wrong')
  const good = nodes.filter(({ outcome }) => outcome === 'right')
  const lines = [...bad, ...findings.filter(({ level }) => level === 'note')].map((finding) =>
    tellFinding(finding, style),
  )
  if (good.length > 0)
    lines.push(
      `${style.good('right')} answered with authority over UDP and TCP: ${good.map(({ node, address }) => plainLine(`${node} (${address})`)).join(', ')}`,
    )
  if (records !== null)
    lines.push(
      `${records.same} of ${records.present} sets of records that were found at the present name servers are the same here; ${records.onlyHere} are only here`,
    )
  const verdict = !isAsked
    ? style.bad('nobody could be asked')
    : bad.length > 0
      ? style.bad('not yet')
      : style.good(parent === null ? 'right' : `right, at ${plainLine(parent)} and here`)
  return [`${style.bold(domain)}: ${verdict}`, ...lines].join('\n')
}

function tellFinding({ level, message, todo }: DelegationFinding, style: Style): string {
  const word = level === 'wrong' ? style.bad('wrong') : style.warn('note')
  const text = `${word} ${plainLine(message)}`
  return todo === null ? text : `${text}\n  ${style.dim(plainLine(todo))}`
}
