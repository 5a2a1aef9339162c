import t from 'tap'
import type { ExplainReport } from '../../../cli/explain-report.ts'
import { formatExplanation } from '../../../cli/output/explanation-text.ts'
import { plainTexts } from '../../../cli/output/text.ts'
import type { MemberKey, OperationId } from '../../../core/index.ts'

const EVIL = '\u001b[2J\u009b31m\r\n\u202e'
const same = (text: string): string => text
const style = { bold: same, dim: same, good: same, bad: same, warn: same, name: same }
const record = { name: EVIL, type: EVIL, ttl: 1, value: EVIL }
const written = {
  operation: EVIL as OperationId,
  author: EVIL as MemberKey,
  at: '2026-01-01T00:00:00Z',
  via: EVIL,
}

t.test('a node that lies moves no cursor, whatever it says', async (t) => {
  const look = { step: 'look-up', name: EVIL, type: EVIL, zone: EVIL, serial: 1 } as const
  const located = { by: 'subnet', source: 'database', place: { latitude: 1, longitude: 1 }, country: EVIL } as const
  const candidate = { node: EVIL, address: EVIL, distanceKm: null, readiness: 'ready', why: 'chosen' } as const
  const report = {
    question: { name: EVIL, type: EVIL },
    asker: { address: EVIL, subnet: EVIL },
    steps: [
      { step: 'refused', why: 'meta-type' },
      { step: 'no-zone', nearest: EVIL },
      { ...look, found: 'set', kind: 'alias', wildcard: EVIL, target: EVIL, written },
      { ...look, found: 'cname', wildcard: EVIL, target: EVIL, written },
      { ...look, found: 'nodata', wildcard: EVIL, types: [EVIL] },
      { ...look, found: 'nxdomain', encloser: EVIL },
      { ...look, found: 'delegation', cut: EVIL, servers: [EVIL], written },
      { step: 'choice', name: EVIL, type: EVIL, located: { ...located, scopePrefix: 24 }, candidates: [candidate] },
      { step: 'resolved', target: EVIL, found: { ipv4: [EVIL], ipv6: [EVIL] } },
    ],
    rcode: EVIL,
    authoritative: true,
    answers: [record],
    authorities: [record],
    additionals: [record],
    scopePrefix: null,
    node: EVIL,
    authors: { [EVIL]: EVIL },
    aliases: [],
  } as unknown as ExplainReport
  const text = formatExplanation(report, Date.parse('2026-01-02T00:00:00Z'), style as never)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
  t.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  t.match(text, '\\x1b[2J')
})

t.test('texts and keys at every depth', async (t) => {
  t.same(plainTexts({ a: ['\u001b', 1, null, { '\u0007': true }] }), { a: ['\\x1b', 1, null, { '\\x07': true }] })
})
