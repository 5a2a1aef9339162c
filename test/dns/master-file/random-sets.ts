import type { MasterSet } from '../../../dns/index.ts'
import { formatRdata } from '../../../dns/rdata/index.ts'
import type { ExplicitType } from '../../../dns/wire/index.ts'
import type { Random } from '../../support/seeds.ts'
import { RANDOM_TYPES, randomName, randomRdata } from '../rdata/random-rdata.ts'

/** What may stand several times at one name beside anything but a CNAME. Others know TYPE35 and look into it. */
const PLAIN = RANDOM_TYPES.filter((type) => !['SOA', 'CNAME', 'NS', 'DS', 'TYPE35'].includes(type))

/** RRsets of a zone that every name server takes: CNAMEs alone, DS beside NS, nothing below a delegation. Sorted values. */
export function randomSets(
  random: Random,
  apex: string,
  options: { readonly count: number; readonly ours?: boolean },
): MasterSet[] {
  const sets: MasterSet[] = []
  const add = (name: string, type: string, values: readonly string[], geo = false) =>
    sets.push({ name, type, ttl: random.integer(100_000), values: [...new Set(values)].sort(), geo })
  const some = (type: (typeof RANDOM_TYPES)[number]) =>
    Array.from({ length: 1 + random.integer(3) }, () => formatRdata(randomRdata(random, type)))
  for (let i = 0; i < options.count; i++) {
    // The number keeps names apart, so that none lies below a delegation.
    const name = i === 0 ? apex : `${random.pick(['', '*.', '_sip._tcp.', 'a-b.c_d.'])}n${i}.${apex}`
    const kind = random.integer(options.ours === true ? 8 : 6)
    if (i > 0 && kind === 0) add(name, 'CNAME', some('CNAME').slice(0, 1))
    else if (i > 0 && kind === 1 && !name.startsWith('*')) {
      add(name, 'NS', some('NS'))
      // Knot looks at the algorithm: it is the second word.
      const signed = some('DS').filter((value) => ['8', '13', '15'].includes(value.split(' ')[1] as string))
      if (signed.length > 0) add(name, 'DS', signed)
    } else if (kind === 6) add(name, 'ALIAS', [`${randomName(random)}.`])
    else if (kind === 7) for (const type of ['A', 'AAAA']) add(name, type, [], true)
    else for (const type of new Set(random.shuffle(PLAIN).slice(0, 1 + random.integer(3)))) add(name, type, some(type))
  }
  return sets
}

/** One line each, in one order: for comparing. */
export function listRecords(
  sets: Iterable<{ name: string; type: ExplicitType | string; ttl: number; values: readonly string[]; geo: boolean }>,
): string[] {
  return Array.from(sets, ({ name, type, ttl, values, geo }) =>
    (geo ? ['geo'] : values).map((value) => `${name} ${ttl} ${type} ${value}`),
  )
    .flat()
    .sort()
}
