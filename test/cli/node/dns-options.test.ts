import t from 'tap'
import { checkDaemonConfig } from '../../../cli/config/index.ts'
import { parseToml } from '../../../cli/config/toml.ts'
import { buildDnsOptions } from '../../../cli/node/dns-options.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const optionsOf = (text: string, workers = 1) =>
  buildDnsOptions(checkDaemonConfig(parseToml(`[node]\nname = "a"\n${text}`, 'd.toml')), workers, new FakeRuntime(1))

t.test('zones name the authority of the directory, and no other where it is not known', async (t) => {
  const authoritiesOf = (acme: string) => optionsOf(`[acme]\n${acme}`).authorities
  t.strictSame(authoritiesOf(''), ['letsencrypt.org'])
  t.strictSame(authoritiesOf('directory = "https://acme.zerossl.com/v2/DV90"'), ['sectigo.com'])
  const own = 'directory = "https://ca.example.net:14000/dir"'
  t.strictSame(authoritiesOf(own), [], 'that of another would keep it from issuing')
  t.strictSame(authoritiesOf(`${own}\ncaa_identities = ["ca.example.net"]`), ['ca.example.net'])
})

t.test('workers that share a port share the rate', async (t) => {
  const rateOf = (rate: number, workers: number) => optionsOf(`[dns]\nrate_limit = ${rate}`, workers).rateLimit
  t.strictSame([rateOf(50, 0), rateOf(50, 1), rateOf(50, 4), rateOf(1, 4)], [50, 50, 13, 1])
  t.strictSame([rateOf(0, 0), rateOf(0, 4)], [0, 0], 'none is none')
})
