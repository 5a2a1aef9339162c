import { TYPE_CODES, type Zone } from '../../dns/index.ts'
import type { DnsQuestion } from '../health/index.ts'
import { isWithin } from './own-servers.ts'

const { A, AAAA, CAA, HTTPS, MX, NS, SRV, TXT } = TYPE_CODES
/** A CNAME comes with the answer to any of them. */
const HOST = [A, AAAA] as const
const TEXT = [TXT] as const
const SERVICE = [SRV] as const
const APEX = [A, AAAA, MX, TXT, CAA, HTTPS] as const
/** What is asked at names that we know, besides the types that they have here. */
const KNOWN = [A, AAAA, MX, TXT] as const

/**
 * Names that domains usually have: nobody lists a zone to strangers, so what a provider made by itself is found by guessing. `*`
 * tells what a wildcard answers.
 */
const USUAL: Readonly<Record<string, readonly number[]>> = {
  '*': [A, AAAA, MX, TXT],
  www: [A, AAAA, TXT, HTTPS],
  mail: [A, AAAA, MX, TXT],
  ...Object.fromEntries(
    [
      ...['smtp', 'imap', 'pop', 'pop3', 'webmail', 'mx', 'mx1', 'mx2', 'autodiscover', 'autoconfig', 'mta-sts'],
      ...['api', 'app', 'assets', 'blog', 'cdn', 'dev', 'docs', 'ftp', 'git', 'm', 'shop', 'staging', 'static'],
      ...['status', 'test', 'vpn'],
    ].map((name) => [name, HOST]),
  ),
  ...Object.fromEntries(
    [
      ...['_dmarc', '_mta-sts', '_smtp._tls', '_atproto', '_github-pages-challenge', 'default._bimi'],
      ...['default', 'dkim', 'google', 'k1', 'k2', 'k3', 'mail', 's1', 's2', 'selector', 'selector1', 'selector2'].map(
        (selector) => `${selector}._domainkey`,
      ),
    ].map((name) => [name, TEXT]),
  ),
  ...Object.fromEntries(
    [
      ...['_autodiscover._tcp', '_imap._tcp', '_imaps._tcp', '_submission._tcp', '_submissions._tcp', '_sip._tls'],
      ...['_sip._udp', '_sipfederationtls._tcp', '_xmpp-client._tcp', '_xmpp-server._tcp', '_caldavs._tcp'],
      ...['_carddavs._tcp', '_minecraft._tcp', '_matrix._tcp'],
    ].map((name) => [name, SERVICE]),
  ),
}

/** Enough for big zones, few enough for a stranger's name server. */
const MAX_QUESTIONS = 1_500

export interface QuestionList {
  readonly questions: readonly DnsQuestion[]
  /** Whether the zone here has more. */
  readonly isCut: boolean
}

/** What is asked of both sides: everything that the zone here has, and what domains usually have. Pure. */
export function listQuestions(zone: Zone): QuestionList {
  const types = new Map<string, Set<number>>()
  const add = (name: string, wanted: readonly number[]): void => {
    const known = types.get(name) ?? new Set()
    for (const type of wanted) known.add(type)
    types.set(name, known)
  }
  add(zone.apex, APEX)
  for (const [label, wanted] of Object.entries(USUAL)) add(`${label}.${zone.apex}`, wanted)
  for (const { name, type } of zone.sets()) {
    // Names of our own name servers are ours alone.
    if (isWithin(name, `ns.${zone.apex}`)) continue
    if (name !== zone.apex) add(name, [...KNOWN, type])
    else if (type !== NS && type !== TYPE_CODES.SOA) add(name, [type])
  }
  const questions = [...types].flatMap(([name, wanted]) => [...wanted].map((type) => ({ name, type })))
  return { questions: questions.slice(0, MAX_QUESTIONS), isCut: questions.length > MAX_QUESTIONS }
}

/** Addresses of a name that other records lead to. */
export const hostQuestions = (name: string): readonly DnsQuestion[] => HOST.map((type) => ({ name, type }))

/** A name that was guessed, and not one that the zone here has. */
export const isGuessed = (zone: Zone, name: string): boolean => name !== zone.apex && !zone.lists(name)
