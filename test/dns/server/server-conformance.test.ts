import t from 'tap'
import type { NodeSet } from '../../../dns/zone/zone-set.ts'
import { twoNodes } from '../answering.ts'
import { serve, servedTable } from './served-zone.ts'
import { askWith, dumpWith, listRecords, type Tool } from './server-conformance.ts'

/** The zone of `servedTable()`; any server that has it can be put in the place of ours. */
const server = await serve()
t.teardown(() => server.close())
const { address } = server
const [zone] = servedTable().zones()
if (zone === undefined) throw new Error('there is no zone to ask for')
const addressesOf = ({ family }: NodeSet): string[] => twoNodes.nodes.flatMap((node) => node[family] ?? [])

for (const tool of ['dig', 'kdig'] satisfies Tool[]) {
  const ask = (...question: string[]) => askWith(tool, address, ...question)

  t.test(`${tool} reads every record as we write it`, async (t) => {
    t.strictSame(await dumpWith(tool, address, zone), listRecords(zone, addressesOf))
  })

  t.test(`${tool}: answers and their flags`, async (t) => {
    for (const transport of ['+notcp', '+tcp']) {
      const got = await ask(transport, '+norec', 'www.example.com', 'A')
      t.match(got, { status: 'NOERROR', flags: ['qr', 'aa'], edns: tool === 'dig' })
      t.strictSame(got.answer.toSorted(), [
        'www.example.com. 300 IN A 192.0.2.1',
        'www.example.com. 300 IN A 192.0.2.2',
      ])
      t.strictSame((await ask(transport, '+rec', 'www.example.com', 'A')).flags, ['qr', 'aa', 'rd'])
    }
    const chain = await ask('alias.example.com', 'AAAA')
    t.equal(chain.answer[0], 'alias.example.com. 600 IN CNAME www.example.com.')
    t.equal(chain.answer.length, 3)
    const ns = await ask('example.com', 'NS')
    t.equal(ns.answer.length, 2)
    t.strictSame(ns.additional.length, 4)
  })

  t.test(`${tool}: names that are not there, and zones that are not ours`, async (t) => {
    const soa = [
      /^example\.com\. 300 IN SOA berlin\.ns\.example\.com\. admin\.example\.com\. 17000000\d\d 86400 10800 3600000 3600$/,
    ]
    t.match(await ask('missing.example.com', 'A'), { status: 'NXDOMAIN', answer: { length: 0 }, authority: soa })
    t.match(await ask('www.example.com', 'MX'), { status: 'NOERROR', answer: { length: 0 }, authority: soa })
    t.match(await ask('ns.example.com', 'A'), { status: 'NOERROR', answer: { length: 0 }, authority: soa })
    const foreign = await ask('example.net', 'A')
    t.equal(foreign.status, 'REFUSED')
    t.notOk(foreign.flags.includes('aa'))
    t.match(await ask('version.bind', 'TXT', 'CH'), { status: 'REFUSED' })
  })

  t.test(`${tool}: an answer that is too large for UDP is asked for again over TCP`, async (t) => {
    const cut = await ask('+notcp', '+ignore', 'big.example.com', 'TXT')
    t.ok(cut.flags.includes('tc'))
    t.equal(cut.answer.length, 0)
    t.equal((await ask('big.example.com', 'TXT')).answer.length, 250)
  })
}

t.test('what only dig can ask: other versions, opcodes, cookies, its own spelling', async (t) => {
  const ask = (...question: string[]) => askWith('dig', address, ...question)
  t.match(await ask('+edns=1', '+noednsneg', 'www.example.com', 'A'), { status: 'BADVERS' })
  t.match(await ask('+noedns', 'www.example.com', 'A'), { status: 'NOERROR', edns: false })
  t.match(await ask('+opcode=notify', 'www.example.com', 'SOA'), { status: 'NOTIMP' })
  t.match(await ask('+opcode=update', 'www.example.com', 'SOA'), { status: 'NOTIMP' })
  t.match(await ask('+opcode=6', 'www.example.com', 'SOA'), { status: 'NOTIMP' })
  t.match(await ask('+header-only', '+noedns'), { status: 'FORMERR' })
  t.match(await ask('+cookie', '+subnet=198.51.100.0/24', '+nsid', '+padding=128', 'www.example.com', 'A'), {
    status: 'NOERROR',
    edns: true,
  })
  t.match(await ask('+bufsize=600', '+ednsopt=65001:ff', '+dnssec', '+ednsflags=0xffff', 'www.example.com', 'A'), {
    status: 'NOERROR',
    answer: { length: 2 },
  })
  t.match(await ask('WwW.eXaMpLe.CoM', 'A'), { answer: [/^WwW\.eXaMpLe\.CoM\. /] })
  t.match(await ask('www.example.com', 'TYPE65280'), { status: 'NOERROR', answer: { length: 0 } })
  const any = await ask('example.com', 'ANY')
  t.equal(new Set(any.answer.map((line) => line.split(' ')[3])).size, 1)
  t.match((await ask('+noall', '+answer', 'example.com', 'AXFR')).text, /Transfer failed/)
})
