import t from 'tap'
import { formatGlue, type GlueChange, planGlue } from '../../../cli/machine/glue.ts'
import type { Hostname, MemberKey, NodeName } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { testKey } from '../support/test-cluster.ts'

type Server = Parameters<typeof planGlue>[1][number]

const server = (number: number, over: Partial<Server> = {}): Server => ({
  key: testKey(number).key as MemberKey,
  name: `node${number}` as NodeName,
  nameserver: true,
  ipv4: `203.0.113.${number}`,
  ipv6: null,
  ...over,
})
const domain = 'example.com' as Hostname

t.test('name servers that come, go and move, in words', async (t) => {
  const before = [server(1), server(2), server(3), server(4, { nameserver: false })]
  const after = [server(1), server(2, { ipv4: null, ipv6: '2001:db8::2' }), server(4)]
  const changes = planGlue([domain], before, after)
  t.equal(
    formatGlue(changes),
    [
      'At the registrar of example.com:',
      '  change the glue of node2.ns.example.com from 203.0.113.2 to 2001:db8::2',
      '  remove the name server node3.ns.example.com and its glue 203.0.113.3',
      '  add the name server node4.ns.example.com with the glue 203.0.113.4',
    ].join('\n'),
  )
  t.equal(formatGlue(planGlue([domain], before, before)), '')
  t.strictSame(planGlue([domain], [server(1)], [server(1, { ipv4: null })])[0]?.kind, 'remove', 'nobody can ask it')
  t.strictSame(planGlue([], before, []), [])
})

/** What a registrar holds, by name server. */
function apply(held: ReadonlyMap<string, string>, changes: readonly GlueChange[]): Map<string, string> {
  const next = new Map(held)
  for (const { host, kind, before, after } of changes) {
    if ((next.get(host) ?? '') !== before.join(' ')) throw new Error(`${host} is not as it is said to be`)
    if (kind === 'remove') next.delete(host)
    else next.set(host, after.join(' '))
  }
  return next
}

const held = (nodes: readonly Server[]) => apply(new Map(), planGlue([domain], [], nodes))

t.test('who follows it has at the registrar what the cluster has', async (t) => {
  for (const seed of seeds(200)) {
    const random = createRandom(seed).next
    const some = (): Server[] =>
      [1, 2, 3, 4, 5].flatMap((number) =>
        random() < 0.3
          ? []
          : [
              server(number, {
                nameserver: random() < 0.7,
                ipv4: random() < 0.3 ? null : `203.0.113.${Math.floor(random() * 3)}`,
                ipv6: random() < 0.5 ? null : `2001:db8::${Math.floor(random() * 3)}`,
              }),
            ],
      )
    const [before, after] = [some(), some()]
    t.strictSame(apply(held(before), planGlue([domain], before, after)), held(after), `seed ${seed}`)
  }
})
