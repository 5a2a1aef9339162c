import { type Answer, decode, encode, type RecordType, type StringAnswer } from 'dns-packet'
import t from 'tap'
import { type Hostname, isWithin, StateTable } from '../../../core/index.ts'
import { formatRdata } from '../../../dns/rdata/rdata.ts'
import { respond } from '../../../dns/service/respond.ts'
import { Steering } from '../../../dns/steering/steering.ts'
import { formatType } from '../../../dns/wire/codes.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import type { Zone } from '../../../dns/zone/zone.ts'
import type { ZoneSet } from '../../../dns/zone/zone-set.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { contextOf } from '../answering.ts'
import { KnotServer } from './knot-server.ts'
import { ALIAS_ADDRESSES, randomZone, theNode } from './random-zone.ts'

/*
 * The same zones in Knot, and the same questions to both. Compared are code, AA, and the records of every section, with
 * what the RFCs leave free made equal:
 * - The order of records, and whether names inside them are compressed.
 * - Additional records of answers (not the glue of referrals): each server adds what it likes (RFC 1034 section 3.7), so
 *   each of ours has to be what Knot answers when it is asked for it, no more. Likewise in referrals what other zones of
 *   ours say: Knot looks into one zone only, and gives what is left there below the cut.
 * - A CNAME that leads into another zone of ours: we go on there (RFC 1034 section 4.3.2 step 3a), Knot stops. So ours
 *   has to begin with what Knot says.
 * - ANY is not asked: which RRset is given is free (RFC 8482 section 4.1).
 */

const seedsHere = seeds(24)
const QUESTIONS = 250
const TYPES: readonly string[] = [
  ...['A', 'AAAA', 'NS', 'CNAME', 'MX', 'TXT', 'SRV', 'CAA', 'PTR', 'TLSA', 'SSHFP', 'DS', 'SOA'],
  ...['UNKNOWN_64', 'UNKNOWN_65', 'UNKNOWN_65280', 'UNKNOWN_99'],
]

interface World {
  readonly seed: number
  readonly zones: readonly Zone[]
  readonly questions: readonly { readonly name: string; readonly type: string }[]
}

function buildWorld(seed: number): World {
  const random = createRandom(seed)
  const apex = `s${seed}.example` as Hostname
  const child = random.chance(0.5) ? (`${random.pick(['lab', 'c.lab', 'a'])}.${apex}` as Hostname) : undefined
  const state = new StateTable()
  state.apply(randomZone(random, apex, child))
  if (child !== undefined) state.apply(randomZone(random, child, undefined))
  const zones = [apex, ...(child === undefined ? [] : [child])].map((one) => {
    const built = buildZone(state, one, [theNode], ['ca.example'])
    if (built === undefined) throw new Error(`there is no zone ${one}`)
    return built.zone
  })
  return { seed, zones, questions: randomQuestions(random, zones) }
}

/** Names that exist, beside them, above and below, and the wildcards themselves. */
function randomQuestions(random: Random, zones: readonly Zone[]): World['questions'] {
  const names = zones.flatMap((zone) => [...zone.names()]).sort()
  const label = () => random.pick(['a', 'b', 'www', '*', 'zzz', 'ns1', 'x'])
  return Array.from({ length: QUESTIONS }, () => {
    const name = random.pick(names)
    const asked = random.pick([
      () => name,
      () => name,
      () => `${label()}.${name}`,
      () => `${label()}.${label()}.${name}`,
      () => name.replace(/^[^.]+/, label()),
      () => name.replace(/^\*\./, `${label()}.`),
    ])()
    return { name: asked, type: random.pick([...TYPES, 'A', 'AAAA', 'A', 'TXT']) }
  })
}

/** What every set comes to for everybody. */
function masterFile(zone: Zone): string {
  const data = (set: ZoneSet): readonly string[] => {
    if (set.kind === 'fixed') return set.rrset.rdata.map(formatRdata)
    const { ipv4, ipv6 } = set.kind === 'nodes' ? { ipv4: [theNode.ipv4], ipv6: [theNode.ipv6] } : ALIAS_ADDRESSES
    return (set.type === 1 ? ipv4 : ipv6).map(String)
  }
  const ttl = (set: ZoneSet) => (set.kind === 'alias' ? Math.min(set.ttl, ALIAS_ADDRESSES.ttl) : set.ttl)
  return [...zone.sets()]
    .flatMap((set) => data(set).map((one) => `${set.name}. ${ttl(set)} IN ${formatType(set.type)} ${one}\n`))
    .join('')
}

interface Said {
  readonly rcode: string
  readonly aa: boolean
  readonly tc: boolean
  readonly answers: readonly string[]
  readonly authorities: readonly string[]
  readonly additionals: readonly string[]
  /** What was asked for, and where each CNAME leads. */
  readonly path: readonly string[]
}

function read(message: Buffer): Said {
  const packet = decode(message) as ReturnType<typeof decode> & { rcode: string; flag_aa: boolean; flag_tc: boolean }
  const cnames = (packet.answers ?? []).flatMap((one) => (one.type === 'CNAME' ? [one as StringAnswer] : []))
  const lead = new Map(cnames.map((one) => [one.name.toLowerCase(), String(one.data).toLowerCase()]))
  const path: string[] = []
  let next = packet.questions?.[0]?.name.toLowerCase()
  while (next !== undefined && !path.includes(next)) {
    path.push(next)
    next = lead.get(next)
  }
  return {
    rcode: packet.rcode,
    aa: packet.flag_aa,
    tc: packet.flag_tc,
    answers: show(packet.answers),
    authorities: show(packet.authorities),
    additionals: show((packet.additionals ?? []).filter((one) => one.type !== 'OPT')),
    path,
  }
}

/** Each once: where a wildcard leads to itself, Knot gives its CNAME twice. */
function show(records: readonly Answer[] | undefined): readonly string[] {
  const shown = (records ?? []).map((one) => {
    const { ttl, data } = one as { ttl?: number; data?: unknown }
    return `${one.name.toLowerCase()} ${ttl} ${one.type} ${JSON.stringify(data).toLowerCase()}`
  })
  return [...new Set(shown)].sort()
}

const worlds = seedsHere.map(buildWorld)
const folder = t.testdir()
const knot = await KnotServer.start(
  folder,
  worlds.flatMap(({ zones }) => zones.map((zone) => ({ apex: zone.apex, text: masterFile(zone) }))),
)
t.teardown(() => knot[Symbol.asyncDispose]())

const met = new Map<string, number>()

for (const { seed, zones, questions } of worlds) {
  t.test(`Knot answers ${questions.length} questions as we do (seed ${seed})`, async (t) => {
    const context = contextOf({
      table: ZoneTable.of(zones),
      steering: new Steering([theNode], new Map(), 1),
      aliases: new Map([[ALIAS_ADDRESSES.target, ALIAS_ADDRESSES]]),
    })
    const queries = questions.map(({ name, type }) => encodeQuestion(name, type))
    const theirs = (await knot.ask(queries)).map(read)
    const extra = new Map<string, string[]>()
    for (const [i, { name, type }] of questions.entries()) {
      const reply = respond(queries[i] as Buffer, context)
      const expected = theirs[i]
      if (reply.kind !== 'send' || expected === undefined) throw new Error('there is no answer')
      const got = read(Buffer.from(reply.bytes))
      const kind = kindOf(expected, name)
      met.set(kind, (met.get(kind) ?? 0) + 1)
      const home = zoneOf(zones, name, type)
      const isHome = (one: string) => zoneOf(zones, one.split(' ')[0] ?? '', 'A') === home
      const leaves = expected.path.findIndex((step) => ![undefined, home].includes(zoneOf(zones, step, type)))
      if (leaves !== -1) {
        const path = expected.path.slice(0, leaves)
        const first = expected.answers.filter((one) => path.includes(one.split(' ')[0] ?? ''))
        if (!first.every((one) => got.answers.includes(one))) t.strictSame(got, expected, `${name} ${type}`)
        continue
      }
      const isGlue = (one: string) => home?.findName(one.split(' ')[0] ?? '') !== undefined && isHome(one)
      const compared = ({ path, additionals, ...rest }: Said) => ({
        ...rest,
        glue: expected.authorities.length === 0 ? [] : additionals.filter(isGlue),
      })
      const [ours, knots] = [compared(got), compared(expected)]
      if (JSON.stringify(ours) !== JSON.stringify(knots)) t.strictSame(ours, knots, `${name} ${type}`)
      if (got.authorities.length > 0) continue
      for (const one of got.additionals) {
        const [host = '', , kind = ''] = one.split(' ')
        extra.set(`${host} ${kind}`, [...(extra.get(`${host} ${kind}`) ?? []), one])
      }
    }
    const hosts = [...extra.keys()].map((host) => host.split(' ') as [string, string])
    const known = (await knot.ask(hosts.map(([host, type]) => encodeQuestion(host, type)))).map(read)
    for (const [i, records] of [...extra.values()].entries()) {
      for (const one of records) if (!known[i]?.answers.includes(one)) t.equal(one, known[i]?.answers.join())
    }
    t.pass('all compared')
  })
}

t.test('every kind of answer was met', async (t) => {
  for (const kind of ['answer', 'wildcard', 'cname', 'nodata', 'nxdomain', 'referral', 'cname to nxdomain']) {
    t.ok((met.get(kind) ?? 0) > seedsHere.length / 3, `${kind}: ${met.get(kind)}`)
  }
})

function kindOf({ rcode, aa, answers, path }: Said, asked: string): string {
  const isCname = path.length > 1
  if (rcode === 'NXDOMAIN') return isCname ? 'cname to nxdomain' : 'nxdomain'
  if (!aa) return 'referral'
  if (answers.length === 0) return 'nodata'
  return isCname
    ? 'cname'
    : worlds.some(({ zones }) => zones.some((zone) => zone.findName(asked)))
      ? 'answer'
      : 'wildcard'
}

/** A DS belongs to the zone above. */
const zoneOf = (zones: readonly Zone[], name: string, type: string): Zone | undefined =>
  [...zones]
    .sort((a, b) => b.apex.length - a.apex.length)
    .find(({ apex }, i) => isWithin(name, apex) && (type !== 'DS' || name !== apex || i === zones.length - 1))

function encodeQuestion(name: string, type: string): Buffer {
  return encode({
    type: 'query',
    id: 1,
    questions: [{ name, type: type as RecordType }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })
}
