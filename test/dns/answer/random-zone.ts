import {
  absoluteName,
  type Entry,
  type Hostname,
  keys,
  type MemberKey,
  type NodeName,
  type NodeView,
  type OwnerName,
  type RecordValue,
  type StateDelta,
} from '../../../core/index.ts'
import type { Random } from '../../support/seeds.ts'

/** The only node: what is chosen is the same for everybody, so that a server without choice can hold the zone. */
export const theNode: NodeView = {
  key: 'a'.repeat(52) as MemberKey,
  name: 'solo' as NodeName,
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  place: null,
  nameserver: true,
  drained: false,
  schema: 3,
  mesh: null,
}

/** What `ALIAS_TARGET` resolved to. */
export const ALIAS_TARGET = 'origin.example.net'
export const ALIAS_ADDRESSES = {
  target: ALIAS_TARGET,
  ipv4: ['198.51.100.77', '198.51.100.78'],
  ipv6: [],
  ttl: 45,
} as const

const LABELS = ['a', 'b', 'c', 'www', '_tcp', 'lab', 'ns1']

/**
 * A zone with a bit of everything: delegations with and without glue and DS, wildcards, empty non-terminals, chains of
 * CNAMEs, what lies below a cut, every type. `child` is another zone of ours below it, to which it delegates.
 */
export function randomZone(random: Random, apex: Hostname, child: Hostname | undefined): StateDelta {
  const records = new Map<string, RecordValue>()
  const put = (name: string, type: string, values: string[], extra: { geo?: true } = {}) => {
    const record = { name: name as OwnerName, type, ttl: random.pick([0, 60, 300, 3600]), values, ...extra }
    records.set(`${name} ${type}`, record)
  }
  const label = () => random.pick(LABELS)
  const owner = () => Array.from({ length: 1 + random.integer(3) }, label).join('.')
  const full = (name: string) => `${absoluteName(name as OwnerName, apex)}.`
  const anywhere = () =>
    random.pick([
      () => full('@'),
      () => full(owner()),
      () => full(owner()),
      () => full(`${label()}.${label()}.${owner()}`),
      () => `${label()}.example.net.`,
      () => (child === undefined ? full(owner()) : random.pick([`${child}.`, `${owner()}.${child}.`])),
    ])()
  for (let i = 0; i < 14; i++) {
    const name = random.chance(0.2) ? `*.${owner()}` : random.chance(0.05) ? '@' : random.chance(0.05) ? '*' : owner()
    const [type, ...values] = randomRecord(random, anywhere)
    put(name, type, values)
  }
  for (let i = random.integer(4); i > 0; i--) {
    const name = random.chance(0.2) ? `*.${owner()}` : owner()
    if (random.chance(0.5)) put(name, 'A', [], { geo: true })
    else put(name, 'ALIAS', [`${ALIAS_TARGET}.`])
  }
  const cuts = Array.from({ length: random.integer(4) }, owner)
  if (child !== undefined) cuts.push(child.slice(0, -apex.length - 1))
  for (const cut of cuts) {
    const sibling = random.pick(cuts)
    const servers = [`ns1.${cut}`, `ns2.${cut}`, `ns.${sibling}`, 'www', owner()]
    const chosen = random.shuffle(servers).slice(0, 1 + random.integer(3))
    put(cut, 'NS', [...chosen.map(full), ...(random.chance(0.2) ? ['ns.example.net.'] : [])])
    for (const server of chosen)
      if (random.chance(0.7)) put(server, random.pick(['A', 'AAAA']), [randomAddress(random)])
    for (const server of chosen) repairAddress(records.get(`${server} AAAA`))
    if (random.chance(0.4)) put(cut, 'DS', [`12345 13 2 ${'AB'.repeat(32)}`])
    if (random.chance(0.4)) put(`x.${cut}`, 'TXT', ['"below the cut"'])
  }
  const entries: [string, Entry][] = [[keys.domain(apex), entryOf(keys.domain(apex), {}, random)]]
  if (random.chance(0.7)) {
    const host = full('www').slice(0, -1) as Hostname
    entries.push([keys.alias(apex, host), entryOf(keys.alias(apex, host), {}, random)])
    entries.push([keys.host(host), entryOf(keys.host(host), { domain: apex }, random)])
  }
  for (const record of records.values()) {
    const key = keys.record(apex, record.name, record.type)
    entries.push([key, entryOf(key, record, random)])
  }
  return { entries, touches: [] }
}

const randomAddress = (random: Random): string => `198.51.100.${1 + random.integer(200)}`

/** An IPv4 address of a record that became one of IPv6. */
function repairAddress(record: RecordValue | undefined): void {
  if (record === undefined) return
  const values = record.values as string[]
  for (const [i, value] of values.entries()) if (!value.includes(':')) values[i] = `2001:db8:1::${value.split('.')[3]}`
}

function randomRecord(random: Random, target: () => string): [type: string, ...values: string[]] {
  return random.pick([
    () => ['A', randomAddress(random), randomAddress(random)],
    () => ['AAAA', '2001:db8:2::1'],
    () => ['CNAME', target()],
    () => ['CNAME', target()],
    () => ['CNAME', target()],
    () => ['MX', `10 ${target()}`, `20 ${target()}`],
    () => ['TXT', `"${random.integer(1000)}"`, '"two" "strings"'],
    () => ['SRV', `1 2 5060 ${target()}`],
    () => ['CAA', '0 issue "ca.example"'],
    () => ['PTR', target()],
    () => ['TLSA', `3 1 1 ${'CD'.repeat(32)}`],
    () => ['SSHFP', `4 2 ${'EF'.repeat(32)}`],
    () => ['HTTPS', '1 . alpn=h2'],
    () => ['HTTPS', `0 ${target()}`],
    () => ['SVCB', `1 ${target()} port=8443`],
    () => ['TYPE65280', '\\# 4 C0000201'],
  ] satisfies (() => [string, ...string[]])[])()
}

function entryOf(key: string, value: unknown, random: Random): Entry {
  const id = String.fromCharCode(97 + random.integer(26)).repeat(52)
  return { key, value, operation: id, author: id, stamp: { wallMs: random.integer(1000), counter: 0 } } as Entry
}
