import { readFileSync } from 'node:fs'
import t from 'tap'
import type { GuestRequest } from '../../../edge/index.ts'
import { siteRequest } from '../fixtures.ts'
import { contentOf, gives, startService } from './support.ts'

const PAGE = readFileSync(new URL('../../../docs/functions.md', import.meta.url), 'utf8')

async function see(
  asked: Parameters<typeof siteRequest>[0],
  part: { isProtected?: boolean } = {},
): Promise<GuestRequest> {
  let seen: GuestRequest | undefined
  const { ask } = startService(({ input }) => {
    seen = (input as { readonly request: GuestRequest }).request
    return gives()
  })
  await ask(asked, part)
  if (seen === undefined) throw new Error('nobody was called')
  return seen
}

/** The names in the first cell of each line of the table of what a function sees. */
function documentedNames(): string[] {
  const start = PAGE.indexOf('| field | what a function sees |')
  const table = PAGE.slice(start, PAGE.indexOf('\n\n', start)).split('\n').slice(2)
  return table.flatMap((line) =>
    [...(line.split('|')[1] as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string),
  )
}

t.test('what a visitor may make up, and what is not for functions, is not seen', async (t) => {
  const forged = Object.fromEntries(documentedNames().map((name) => [name.replace('…', 'made-up'), 'forged']))
  t.ok(Object.keys(forged).length > 20, 'the page has its table')
  const { headers } = await see(
    {
      method: 'POST',
      secure: true,
      address: '::ffff:192.0.2.7',
      country: 'NL',
      content: contentOf(Buffer.from('four')),
      fields: { ...forged, connection: 'close, X-Hop', 'x-hop': 'forged', 'x-own': 'kept', cookie: 'a=1' },
    },
    { isProtected: true },
  )
  t.same(
    new Map(headers),
    new Map([
      ['host', 'www.example.com'],
      ['x-forwarded-for', '192.0.2.7'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-host', 'www.example.com'],
      ['makiatto-trace', '0'.repeat(32)],
      ['makiatto-country', 'NL'],
      ['content-length', '4'],
      ['x-own', 'kept'],
      ['cookie', 'a=1'],
    ]),
  )
  t.equal(headers.length, new Map(headers).size, 'each once')
})

t.test('what comes beside is as it came', async (t) => {
  const fields = { authorization: 'Bearer x', range: 'bytes=0-1', 'accept-encoding': 'br', 'cdn-loop': 'other' }
  const { headers, body, query, path } = await see({ fields })
  for (const [name, value] of Object.entries(fields)) t.equal(new Map(headers).get(name), value)
  t.equal(new Map(headers).has('content-length'), false)
  t.equal(new Map(headers).has('makiatto-country'), false)
  t.same({ body, query, path }, { body: undefined, query: 'x=1', path: '/api/hello' })
})

t.test('lines stay lines, cookies become one', async (t) => {
  const lines = [
    ['x-a', '1'],
    ['cookie', 'a=1'],
    ['x-a', '2'],
    ['cookie', 'b=2'],
  ] as const
  let seen: GuestRequest | undefined
  const { service, call } = startService(({ input }) => {
    seen = (input as { readonly request: GuestRequest }).request
    return gives()
  })
  await service.call(call, { ...siteRequest(), fields: () => lines })
  t.same(seen?.headers.slice(-3), [
    ['x-a', '1'],
    ['x-a', '2'],
    ['cookie', 'a=1; b=2'],
  ])
})
