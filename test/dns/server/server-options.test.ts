import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { ServerCookies } from '../../../dns/message/index.ts'
import { serviceOf } from '../answering.ts'
import { serve, servedTable } from './served-zone.ts'
import { askWith } from './server-conformance.ts'

/** What dig and kdig make of the options of a server that tells who it is. */

const table = servedTable()
const identity = {
  cookies: new ServerCookies('000102030405060708090a0b0c0d0e0f'),
  nsid: 'tokyo-1',
  version: 'Makiatto test',
  nowSeconds: () => Math.floor(systemRuntime.now() / 1000),
}
const server = await serve({ service: serviceOf(() => table, {}, identity) })
t.teardown(() => server.close())
const kdig = (...question: string[]) => askWith('kdig', server.address, ...question)
const dig = (...question: string[]) => askWith('dig', server.address, ...question)
const WWW = ['www.example.com', 'A']

t.test('kdig: client subnets', async (t) => {
  for (const [subnet, told] of [
    ['198.51.100.0/24', '198.51.100.0/24/0'],
    ['203.0.113.7', '203.0.113.7/32/0'],
    ['2001:db8:1::/56', '2001:db8:1::/56/0'],
    ['0.0.0.0/0', '0.0.0.0/0/0'],
    ['::/0', '::/0/0'],
  ]) {
    const got = await kdig(`+subnet=${subnet}`, ...WWW)
    t.match(got, { status: 'NOERROR', answer: { length: 2 } })
    t.equal(/CLIENT-SUBNET: (\S+)/.exec(got.text)?.[1], told)
  }
})

t.test('kdig: cookies, fresh and given back', async (t) => {
  const first = await kdig('+cookie=0102030405060708', ...WWW)
  const [, cookie = ''] = /COOKIE: (0102030405060708[0-9A-F]{32})\n/.exec(first.text) ?? []
  t.not(cookie, '')
  const again = await kdig(`+cookie=${cookie}`, '+nobadcookie', ...WWW)
  t.match(again, { status: 'NOERROR', answer: { length: 2 } })
  t.match(again.text, `COOKIE: ${cookie}`)
  t.notMatch((await kdig(...WWW)).text, 'COOKIE')
})

t.test('kdig: sizes, transports, who answers', async (t) => {
  const wide = ['wide.example.com', 'TXT']
  t.match(await kdig('+bufsize=4096', ...wide), { answer: { length: 5 } })
  t.ok((await kdig('+bufsize=512', '+ignore', ...wide)).flags.includes('tc'))
  t.ok((await kdig('+noedns', '+ignore', ...wide)).flags.includes('tc'))
  t.match(await kdig('+tcp', '+noedns', ...wide), { answer: { length: 5 }, text: /\(TCP\)/ })
  t.match((await kdig('+nsid', ...WWW)).text, /NSID: 746F6B796F2D31 "tokyo-1"/)
  t.notMatch((await kdig(...WWW)).text, 'NSID')
  t.strictSame((await kdig('CH', 'TXT', 'version.bind')).answer, ['version.bind. 0 CH TXT "Makiatto test"'])
  t.strictSame((await kdig('CH', 'TXT', 'id.server')).answer, ['id.server. 0 CH TXT "tokyo-1"'])
  t.match(await kdig('CH', 'TXT', 'authors.bind'), { status: 'REFUSED' })
})

t.test('dig: all at once, its own cookie taken, and a question for nothing but a cookie', async (t) => {
  const all = await dig('+cookie', '+nsid', '+subnet=198.51.100.0/24', '+dnssec', '+padding=64', '+keepalive', ...WWW)
  t.match(all, { status: 'NOERROR', answer: { length: 2 }, text: /COOKIE: [0-9a-f]{48} \(good\)/ })
  t.match(all.text, /flags: do; udp: 1232/)
  t.match((await dig('+subnet=0', ...WWW)).text, 'CLIENT-SUBNET: 0.0.0.0/0/0')
  const empty = await dig('+header-only', '+cookie')
  t.match(empty, { status: 'NOERROR', answer: { length: 0 }, text: /COOKIE: [0-9a-f]{48} \(good\)/ })
  t.match(await dig('+ednsopt=8:000118', ...WWW), { status: 'FORMERR', edns: true })
  t.match(await dig('+ednsopt=10:01', ...WWW), { status: 'FORMERR', edns: true })
  t.match(await dig('+edns=1', '+noednsneg', '+cookie', ...WWW), { status: 'BADVERS', edns: true })
  t.match(await dig('+opcode=notify', ...WWW), { status: 'NOTIMP', edns: true })
})
