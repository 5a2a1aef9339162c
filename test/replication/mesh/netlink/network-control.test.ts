import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { NODE_FLAGS } from '../../../../cli/node/node-flags.ts'

/** The network as `ip`, `nft` and packets see it after we changed it through netlink, in namespaces of the test. */

const here = (name: string): string => join(import.meta.dirname, name)
const { stdout } = await promisify(execFile)(
  'unshare',
  [
    ...['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ...['sh', here('network-worlds.sh'), process.execPath, ...NODE_FLAGS, here('network-main.ts')],
  ],
  { env: { ...process.env, NODE: process.execPath }, timeout: 120_000, killSignal: 'SIGKILL' },
)
const told = new Map(
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { what: string; value: unknown })
    .map(({ what, value }) => [what, value]),
)

t.test('links, addresses and routes are what ip shows', async (t) => {
  t.match(told.get('link'), { mtu: 1380, isUp: true, kind: 'veth' })
  t.equal(told.get('no link'), null)
  t.match(told.get('ip link'), [{ ifname: 'wawa0', mtu: 1380 }])
  const [{ addr_info: addresses }] = told.get('ip addr') as [
    { addr_info: { local: string; prefixlen: number; scope: string; nodad?: boolean; tentative?: boolean }[] },
  ]
  const global = addresses.filter(({ scope }) => scope === 'global')
  t.match(global, [{ local: 'fd77:1:2::1', prefixlen: 128, nodad: true }])
  t.equal(global.length, 1, 'the others were taken away')
  t.match(told.get('ip route'), [{ dst: 'fd77:1:2::/48' }])
  t.equal((told.get('ip route') as unknown[]).length, 1)
  const [{ addr_info: ipv4 }] = told.get('addresses of one network') as [{ addr_info: { local: string }[] }]
  t.strictSame(ipv4.map(({ local }) => local).sort(), ['10.9.0.2', '10.9.0.3'], 'that of one network goes alone')
  t.equal(told.get('mtu in the mesh'), 1380)
  t.equal(told.get('mtu on the cable'), 1500)
  t.equal(told.get('mtu to nowhere'), null)
  t.equal(told.get('mtu to where it is forbidden'), null)
  t.match(told.get('no such link'), { code: 'MAKI_NOT_FOUND' })
  t.ok([null, 'MAKI_UNSUPPORTED'].includes(told.get('a kind that there is not') as string | null))
  t.equal(told.get('deleted'), null)
})

const OPEN = {
  'a node reaches us': true,
  'we reach an external peer': true,
  'a neighbour reaches our public address': true,
  'an external peer pings us': true,
  'we are told that an external peer does not listen': true,
  'we reach ourselves': true,
}
const SHUT = [
  'an external peer reaches us',
  'an external peer reaches our public address',
  'an external peer reaches what is behind us',
  'what is behind us reaches an external peer',
  'a neighbour reaches our mesh address past the mesh',
]

t.test('the filter holds back what it is for, and nothing else', async (t) => {
  const all = (isOpen: boolean) => ({ ...OPEN, ...Object.fromEntries(SHUT.map((what) => [what, isOpen])) })
  t.same(told.get('without a filter'), all(true), 'without it all of this comes through')
  t.same(told.get('with a filter'), all(false))
})

t.test('it is a table of its own, set again as the same, and gone without others', async (t) => {
  t.equal(told.get('set again it is the same'), true)
  t.equal(told.get('set over another it is the same'), true)
  t.strictSame(told.get('as we write it'), told.get('as nft writes it'))
  t.equal((told.get('as we write it') as unknown[]).length, 11, 'a table, two chains and seven rules, and the version')
  t.match(told.get('nft'), /table inet makiatto_wawa0 \{/)
  t.equal(told.get('removed'), 'table inet owner {\n}')
})

t.test('nothing comes through while it is set anew two hundred times', async (t) => {
  t.equal(told.get('came through while it was set anew'), 0)
  t.comment(`${told.get('milliseconds a time')} ms each`)
})

t.test('it takes CAP_NET_ADMIN, and no more than that', async (t) => {
  const verbs = ['findLink', 'findPathMtu', 'setLink', 'setAddresses', 'addRoutes', 'setFilter', 'removeFilter']
  t.strictSame(told.get('with the capability'), Object.fromEntries(verbs.map((verb) => [verb, null])))
  const met = told.get('without the capability') as Record<string, unknown>
  t.strictSame(Object.keys(met), verbs)
  for (const verb of verbs) {
    if (verb.startsWith('find')) t.equal(met[verb], null, verb)
    else t.match(met[verb], { code: 'MAKI_CONFIG', message: /EPERM/, hint: /CAP_NET_ADMIN/ }, verb)
  }
})

t.test('a machine whose IPv6 is switched off is told so', async (t) => {
  const unsupported = { code: 'MAKI_UNSUPPORTED', hint: /disable_ipv6=0/ }
  t.match(told.get('without IPv6'), [unsupported, unsupported])
})

t.test('a route of the owner to the same network is left, and it is said', async (t) => {
  const met = told.get('routes of the owner') as { how: string; refused: unknown; isLeft: boolean }[]
  t.equal(met.length, 10)
  for (const { how, refused, isLeft } of met) {
    t.match(refused, { code: 'MAKI_CONFLICT', message: /has the network of the mesh, fd79:1::\/48/ }, how)
    t.ok(isLeft, how)
  }
  t.match(met[0]?.refused, { message: /a route to lan0/, hint: /ip -6 route del fd79:1::\/48 dev lan0/ })
  t.match(told.get('ours, hidden'), [{ dev: 'wawa0' }])
  t.equal((told.get('ours, hidden') as unknown[]).length, 1)
})
