import type { AliasStatus, NodeStatus } from '../../edge/index.ts'
import type { CertificateRow } from '../certificates.ts'
import { formatShare, tellTrouble, tellVerdict } from '../output/health-view.ts'
import { count } from '../output/text.ts'
import type { NodeCheckup, RecordsCheck, SeenService } from './checkup.ts'
import { type LostMachine, listLost } from './lost-machines.ts'

/** Something that a person should know, and what to do about it. */
export interface HealthFinding {
  /** `wrong` makes the answer of `maki health` no; a `note` is as its owner wanted it, or cannot be told from here. */
  readonly level: 'wrong' | 'note'
  /** Null where it is about the cluster as a whole. */
  readonly node: string | null
  readonly message: string
  readonly hint: string
  /** What was seen and told one by one, where the message gathers that. */
  readonly details?: readonly string[]
}

export interface FindingsInput {
  readonly nodes: readonly NodeCheckup[]
  readonly certificates: readonly CertificateRow[]
  readonly nowMs: number
  /** Keys of concurrent edits. */
  readonly conflicts: readonly string[]
  readonly isCut: boolean
  /** What the targets of ALIAS records resolve to at the node that was reached. */
  readonly aliases: readonly AliasStatus[]
  /** Why that node does not know all that its files say of where clients are. */
  readonly placeFaults: readonly string[]
  /** The name of the node that was reached; null where it is not known. */
  readonly answeredBy: string | null
  /** Whether a node was reached that says how it sees the others. */
  readonly isReached: boolean
  /** Machines that lacked what was written, and were brought it from here. */
  readonly brought: readonly string[]
  /** Machines that lack it perhaps, and could not be reached from here. */
  readonly unheard: readonly LostMachine[]
}

const DAY_MS = 86_400_000
/** A certificate is renewed with a third of its life left, and with 30 days at the latest. */
const RENEWAL_SHARE = 1 / 3
const RENEWAL_DAYS = 30
const MAX_USED = 0.9
/** For each processor, over five minutes. */
const MAX_LOAD = 4
const NAMED = 3

/** What is wrong with a cluster, worst first within each node; pure. */
export function listHealthFindings(input: FindingsInput): readonly HealthFinding[] {
  const { nodes, certificates, nowMs, conflicts, aliases, placeFaults, answeredBy, isCut } = input
  const { isReached, brought, unheard } = input
  const findings = nodes.flatMap((node) => [
    ...gatherGone(node, [...listSeen(node), ...(node.status === null ? [] : listVerdicts(node.name, node.status))]),
    ...(node.status === null ? [] : listTold(node.name, node.status, isGone(node))),
    ...(node.records === null ? [] : listRecords(node.name, node.records)),
    ...(node.drained
      ? [
          note(
            node.name,
            'it is drained: visitors are sent to the others',
            `maki blame node/${node.key}/drained tells by whom.`,
          ),
        ]
      : []),
  ])
  if (isReached) findings.push(...listDigests(nodes))
  findings.push(...listLost(brought, unheard))
  for (const fault of placeFaults)
    findings.push(
      wrong(
        answeredBy,
        `where clients are is not known as it was meant: ${fault}`,
        'Correct the file, or [dns] of its configuration; a file is read again a moment after it changed.',
      ),
    )
  findings.push(...aliases.flatMap(listAlias))
  findings.push(...certificates.flatMap((row) => listCertificate(row, nowMs)))
  for (const key of conflicts)
    findings.push(
      wrong(
        null,
        `concurrent edits conflict at ${key}`,
        `maki conflicts shows them; maki conflicts resolve ${key} --take OPERATION settles it.`,
      ),
    )
  if (isCut)
    findings.push(
      note(null, 'there are more records than were asked for: the first 2000 sets were', 'dig asks for single ones.'),
    )
  return findings
}

const wrong = (node: string | null, message: string, hint: string): HealthFinding => ({
  level: 'wrong',
  node,
  message,
  hint,
})
const note = (node: string | null, message: string, hint: string): HealthFinding => ({
  level: 'note',
  node,
  message,
  hint,
})

function listSeen({ name, seen }: NodeCheckup): HealthFinding[] {
  return seen.flatMap(({ outcome, service, address, reason = '' }) => {
    const where = `${service} at ${address}, from here: ${reason}`
    if (outcome === 'down')
      return [
        wrong(
          name,
          where,
          service === 'dns'
            ? 'Is the daemon running, and is port 53 open (UDP and TCP)?'
            : 'Is the daemon running, and are its ports open to everybody?',
        ),
      ]
    if (outcome === 'unknown') return [note(name, where, 'This says nothing of it: ask from elsewhere, too.')]
    return []
  })
}

function isGone({ seen, status }: NodeCheckup): boolean {
  const isSilent = seen.some(({ outcome }) => outcome === 'down') && seen.every(({ outcome }) => outcome !== 'up')
  return isSilent && (status?.up !== true || (status.health ?? []).some(({ standing }) => standing === 'down'))
}

/**
 * One finding in place of many for a node that is gone: none of its addresses answers this computer, and the node that was
 * asked does not hear it or holds it for down, if one was asked.
 */
function gatherGone(node: NodeCheckup, findings: HealthFinding[]): HealthFinding[] {
  const { name, seen, status } = node
  const failed = seen.filter(({ outcome }) => outcome === 'down')
  if (!isGone(node) || findings.length < 2) return findings
  const ways = [
    ...(failed.some(({ service }) => service === 'dns') ? ['DNS'] : []),
    ...(failed.some(({ service }) => service === 'web') ? ['HTTP'] : []),
    ...(status?.up === false ? ['gossip with the other nodes'] : []),
  ]
  const { address, reason = 'no answer' } =
    failed.find(({ service }) => service === 'web') ?? (failed[0] as SeenService)
  const message = `it does not answer: ${ways.join(', ')} (${address}, from here: ${reason})`
  const hint = 'Is its computer running, and its daemon, and are its ports open to everybody? --json has the details.'
  return [{ ...wrong(name, message, hint), details: findings.map((finding) => finding.message) }]
}

/** What the node that was asked concludes from gossip and probes. */
function listVerdicts(name: string, { up, lagMs, health = [] }: NodeStatus): HealthFinding[] {
  const findings: HealthFinding[] = []
  if (!up)
    findings.push(
      wrong(
        name,
        lagMs === null ? 'no node has heard it' : 'the other nodes do not hear it any more',
        'Is the daemon running, and can the nodes reach each other?',
      ),
    )
  for (const verdict of health) {
    const told = tellVerdict(verdict)
    if (told !== undefined)
      findings.push(
        verdict.standing === 'down'
          ? wrong(name, told, 'Its firewall, its provider, its daemon: ask from where the others are.')
          : note(name, told, 'It comes back by itself when it has been well for long enough.'),
      )
  }
  return findings
}

function listTold(name: string, status: NodeStatus, isGone: boolean): HealthFinding[] {
  const { up, behind, host, unservable, damagedBlobs } = status
  const findings: HealthFinding[] = tellTrouble(status).map((told) => ({ node: name, ...told }))
  const log = 'Look at its log; maki status shows what the nodes have.'
  if (behind === true)
    findings.push(wrong(name, 'it lacks what was written more than ten minutes ago: no visitors are sent there', log))
  if (unservable.length > 0)
    findings.push(
      wrong(
        name,
        `${unservable
          .map(({ domain }) => domain)
          .slice(0, NAMED)
          .join(', ')}: the release cannot be served there`,
        'maki status says what is missing.',
      ),
    )
  if (damagedBlobs > 0)
    findings.push(
      wrong(
        name,
        `${damagedBlobs} damaged files on its disk`,
        'They are fetched from the other nodes; look after the disk.',
      ),
    )
  // How it was when it was last heard says little.
  if (host == null || !up || isGone) return findings
  if (host.memory >= MAX_USED)
    findings.push(
      wrong(name, `${formatShare(host.memory)} of its memory are used`, 'Find out what takes it, or give it more.'),
    )
  if (host.disk >= MAX_USED)
    findings.push(
      wrong(
        name,
        `${formatShare(host.disk)} of its disk are used`,
        'Make room: a node keeps the last part for the log alone.',
      ),
    )
  if (host.load >= MAX_LOAD)
    findings.push(
      note(
        name,
        `its load is ${host.load.toFixed(1)} for each processor`,
        'Find out what keeps it busy, or add a node.',
      ),
    )
  return findings
}

function listRecords(name: string, { asked, right, differ, fault, address }: RecordsCheck): HealthFinding[] {
  const findings: HealthFinding[] = []
  if (fault !== undefined)
    findings.push(
      wrong(
        name,
        `${asked - right - differ.length} of ${asked} sets of records were not answered over TCP at ${address}: ${fault}`,
        'Is port 53 open for TCP, too?',
      ),
    )
  if (differ.length > 0) {
    const named = differ.slice(0, NAMED).map(({ question, how }) => `${question} (${how})`)
    const more = differ.length > NAMED ? ` and ${differ.length - NAMED} more` : ''
    findings.push(
      wrong(
        name,
        `it answers ${differ.length} of ${asked} sets of records otherwise: ${named.join(', ')}${more}`,
        'maki status shows whether it lacks operations; ask again when it has them.',
      ),
    )
  }
  return findings
}

function listDigests(nodes: readonly NodeCheckup[]): HealthFinding[] {
  const digests = new Set(nodes.flatMap(({ status }) => (status?.up === true ? (status.digest ?? []) : [])))
  return digests.size <= 1
    ? []
    : [
        wrong(
          null,
          'the nodes that are up have different operations',
          'A moment may be enough; maki status shows who differs.',
        ),
      ]
}

/** Visitors notice only where nothing is left to answer with. */
function listAlias({ target, ipv4, ipv6, failing, refused }: AliasStatus): HealthFinding[] {
  const isAnswered = ipv4.length + ipv6.length > 0
  const level = isAnswered ? note : wrong
  const left = isAnswered ? 'what it had is still answered' : 'no address is answered'
  const findings: HealthFinding[] = []
  if (failing !== null)
    findings.push(
      level(
        null,
        `the ALIAS target ${target} cannot be looked up: ${failing.reason}; ${left}`,
        `Is the name right, and does it have an address? dig ${target} tells; maki dns explain why a name is answered so.`,
      ),
    )
  if (refused.length > 0)
    findings.push(
      level(
        null,
        `the ALIAS target ${target} has addresses that are not public, and not answered: ${refused.slice(0, NAMED).join(', ')}`,
        'Let it have public addresses, or write these as A and AAAA records.',
      ),
    )
  return findings
}

function listCertificate(row: CertificateRow, nowMs: number): HealthFinding[] {
  const { name, notBefore, notAfter, daysLeft, sealed, directory } = row
  const renew =
    directory === null
      ? 'maki cert import brings a new one.'
      : `The nodes order another; what waits: maki cert show ${name}`
  if (sealed === 'exposed')
    return [wrong(null, `the key of the certificate ${name} may be known to a machine that was removed`, renew)]
  if (daysLeft < 0) return [wrong(null, `the certificate ${name} has expired`, renew)]
  if (Date.parse(notBefore) > nowMs)
    return [wrong(null, `the certificate ${name} is valid only from ${notBefore.slice(0, 10)} on`, renew)]
  const soonDays = Math.min(RENEWAL_DAYS, ((Date.parse(notAfter) - Date.parse(notBefore)) / DAY_MS) * RENEWAL_SHARE)
  const when = daysLeft < 1 ? 'within a day' : `in ${count(daysLeft, 'day')}`
  return daysLeft < soonDays ? [wrong(null, `the certificate ${name} expires ${when}`, renew)] : []
}
