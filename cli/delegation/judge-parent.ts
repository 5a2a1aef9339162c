import { nameZone, type ParentReport, type ParentServer, type ParentWord } from './ask-parent.ts'
import { type DelegationFinding, note, wrong } from './finding.ts'
import { isWithin, type OwnServer } from './own-servers.ts'

/** How far the switch to our name servers is, by the parent. */
export type SwitchState = 'unknown' | 'nobody' | 'elsewhere' | 'partly' | 'ours'

/** What the parent's word means for us. */
export interface ParentVerdict {
  readonly state: SwitchState
  /** Name servers at the parent that are not ours. */
  readonly strangers: readonly string[]
  readonly findings: readonly DelegationFinding[]
}

type Asked = Extract<ParentReport, { kind: 'asked' }>
type Heard = ParentServer & { readonly word: ParentWord }

/** Compares what the servers of the zone above say with what they should. Pure. */
export function judgeParent(apex: string, own: readonly OwnServer[], report: ParentReport): ParentVerdict {
  if (report.kind === 'unknown') {
    const finding = wrong(
      'parent-silent',
      `the name servers above ${apex} could not be asked: ${report.reason}`,
      'Try again, or with another resolver: --resolver ADDRESS',
    )
    return { state: 'unknown', strangers: [], findings: [finding] }
  }
  const heard = report.servers.filter((server): server is Heard => server.word !== undefined)
  const findings = [...judgeServers(report), ...judgeAgreement(heard)]
  const named = [...new Set(heard.flatMap(({ word }) => word.nameServers))].sort()
  const ours = new Set(own.map(({ name }) => name))
  const strangers = named.filter((name) => !ours.has(name))
  const parent = nameZone(report.parent)
  const state: SwitchState =
    named.length === 0
      ? 'nobody'
      : strangers.length === named.length
        ? 'elsewhere'
        : strangers.length > 0 || own.some(({ name }) => !named.includes(name))
          ? 'partly'
          : 'ours'
  const wanted = own.map(({ name }) => name).join(', ')
  if (state === 'nobody')
    findings.push(
      wrong(
        'not-delegated',
        `${parent} delegates ${apex} to nobody: it is not registered, or has no name servers`,
        `Enter at the registrar: ${wanted}`,
      ),
    )
  else if (state === 'elsewhere')
    findings.push(
      wrong(
        'not-switched',
        `${parent} delegates ${apex} to ${strangers.join(', ')}, and not to us yet`,
        `When the rest is right, enter at the registrar instead: ${wanted}`,
      ),
    )
  else
    findings.push(
      ...own
        .filter(({ name }) => !named.includes(name))
        .map(({ name, addresses }) =>
          wrong(
            'server-missing',
            `${parent} does not name ${name}`,
            `Add it at the registrar${addresses.length === 0 ? '' : ` with the glue ${addresses.join(', ')}`}`,
          ),
        ),
      ...strangers.map((name) =>
        wrong(
          'server-strange',
          `${parent} still names ${name}, which is none of ours: a part of the visitors is answered by it`,
          `Remove it at the registrar`,
        ),
      ),
    )
  findings.push(...judgeGlue(own, heard, parent), ...judgeDs(apex, heard, parent, state))
  return { state, strangers, findings }
}

/** One that is silent is the parent's to mend, as long as others answer. */
function judgeServers({ servers }: Asked): DelegationFinding[] {
  return servers
    .filter(({ word }) => word === undefined)
    .map(({ name, address, fault }) => note('parent-silent', `${name} (${address}) could not be asked: ${fault}`))
}

function judgeAgreement(heard: readonly Heard[]): DelegationFinding[] {
  const spell = ({ word }: Heard): string =>
    [word.nameServers, [...word.glue].map(String).sort(), word.ds.map(({ text }) => text).sort()].map(String).join(';')
  const [first] = heard
  const other = heard.find((server) => first !== undefined && spell(server) !== spell(first))
  if (first === undefined || other === undefined) return []
  return [
    wrong(
      'parents-differ',
      `${other.name} and ${first.name} say different things: a change is on its way`,
      'Wait until all of them say the same, then check again.',
    ),
  ]
}

function judgeGlue(own: readonly OwnServer[], heard: readonly Heard[], parent: string): DelegationFinding[] {
  return own.flatMap(({ name, addresses }): DelegationFinding[] => {
    const naming = heard.filter(({ word }) => word.nameServers.includes(name))
    // Where the name lies elsewhere, its addresses stand there.
    if (naming.length === 0 || addresses.length === 0) return []
    const lists = naming.map(({ word }) => word.glue.get(name) ?? [])
    const seen = [...new Set(lists.flat())].sort()
    if (seen.length === 0)
      return [
        wrong(
          'glue-missing',
          `${parent} names ${name} without an address: nobody finds it`,
          `Enter the glue at the registrar: ${name} ${addresses.join(', ')}`,
        ),
      ]
    const stale = seen.filter((address) => !addresses.includes(address))
    if (stale.length > 0)
      return [
        wrong(
          'glue-stale',
          `the glue of ${name} at ${parent} is ${seen.join(', ')}, and its ${plural(addresses)} ${addresses.join(', ')}`,
          `Change the glue at the registrar: ${name} ${addresses.join(', ')}`,
        ),
      ]
    const missing = addresses.filter((address) => lists.every((list) => !list.includes(address)))
    return missing.length === 0
      ? []
      : [
          wrong(
            'glue-missing',
            `the glue of ${name} at ${parent} lacks ${missing.join(', ')}`,
            `Add it at the registrar: ${name} ${addresses.join(', ')}`,
          ),
        ]
  })
}

const plural = (addresses: readonly string[]): string => (addresses.length === 1 ? 'address is' : 'addresses are')

/** We sign no zone: whoever validates takes our answers for forged while the parent has a DS (RFC 4035 section 5.2). */
function judgeDs(apex: string, heard: readonly Heard[], parent: string, state: SwitchState): DelegationFinding[] {
  const ds = heard.flatMap(({ word }) => word.ds)
  const [first] = ds
  if (first === undefined) return []
  const tags = [...new Set(ds.map(({ keyTag }) => keyTag))].join(', ')
  const isSwitched = state === 'ours' || state === 'partly'
  const when = isSwitched ? 'ANSWER SERVFAIL NOW' : 'ANSWER SERVFAIL FROM THE SWITCH ON'
  const ttl = Math.max(...ds.map((one) => one.ttl))
  return [
    wrong(
      'ds-left',
      `A DS RECORD IS LEFT AT ${parent.toUpperCase()} (KEY TAG ${tags}): RESOLVERS THAT VALIDATE ${when} FOR ${apex.toUpperCase()} AND EVERYTHING BELOW IT, WEB AND MAIL`,
      `Have the registrar remove the DS (switch DNSSEC off there)${isSwitched ? '; it is over' : ', and switch the name servers no sooner than'} ${formatSpan(ttl)} later, which is its TTL`,
    ),
  ]
}

/** A TTL in words. */
export function formatSpan(seconds: number): string {
  if (seconds % 3600 === 0 && seconds > 0) return seconds === 3600 ? '1 hour' : `${seconds / 3600} hours`
  if (seconds % 60 === 0 && seconds > 0) return seconds === 60 ? '1 minute' : `${seconds / 60} minutes`
  return seconds === 1 ? '1 second' : `${seconds} seconds`
}

/** Whether a zone above is one of ours: then nothing is entered at a registrar. */
export const findOwnParent = (apex: string, apexes: readonly string[]): string | undefined =>
  apexes.filter((other) => other !== apex && isWithin(apex, other)).sort((a, b) => b.length - a.length)[0]
