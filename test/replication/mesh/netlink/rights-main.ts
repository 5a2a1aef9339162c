/** Tries every verb on the interface `behind0`, and tells which error each met, in one line of JSON. */
import { openNetworkControl } from '../../../../replication/mesh/netlink/index.ts'

using network = await openNetworkControl()
const filter = { interface: 'behind0', mesh: 'fd77:1:2::/48', peers: 'fd77:1:2:1::/64' }
const verbs: Record<string, () => Promise<unknown>> = {
  findLink: () => network.findLink('behind0'),
  findPathMtu: () => network.findPathMtu('2001:db8:1::2'),
  setLink: () => network.setLink('behind0', { mtu: 1400, isUp: true }),
  setAddresses: () => network.setAddresses('behind0', ['fd77::1/128', '2001:db8:2::1/64']),
  addRoutes: () => network.addRoutes('behind0', ['fd77:8::/48']),
  setFilter: () => network.setFilter(filter),
  removeFilter: () => network.removeFilter('behind0'),
}
const met: Record<string, unknown> = {}
for (const [name, act] of Object.entries(verbs))
  met[name] = await act().then(
    () => null,
    ({ code, message, hint }: { code: string; message: string; hint: string }) => ({ code, message, hint }),
  )
process.stdout.write(JSON.stringify(met))
