import { join } from 'node:path'
import t from 'tap'
import { checkDaemonConfig } from '../../../cli/config/daemon-config.ts'
import {
  formatListenAddress,
  loadDaemonConfig,
  parseEndpoint,
  parseListenAddress,
  parseResolver,
} from '../../../cli/config/index.ts'
import { parseToml } from '../../../cli/config/toml.ts'
import { createTestCluster } from '../../support/histories.ts'

const check = (text: string) => checkDaemonConfig(parseToml(text, 'd.toml'))

t.test('a name is enough; everything else has the documented default', async (t) => {
  const { file, warnings, ...config } = check('[node]\nname = "Vector"\n')
  t.same(warnings, [])
  t.same(JSON.parse(JSON.stringify(config)), {
    node: { name: 'vector', data_dir: '/var/makiatto', is_nameserver: false, control: '/run/makiatto/control.sock' },
    wireguard: { enabled: true, interface: 'wawa0', port: 51880, bootstrap: [] },
    replication: { bootstrap: [], dial_members: false },
    dns: {
      addr: { host: '::', port: 53 },
      tls_addr: { host: '::', port: 853 },
      answers: 1,
      geo_refresh_days: 21,
      rate_limit: 50,
      nsid: '',
      version: '',
      resolvers: [],
    },
    web: {
      http_addr: { host: '::', port: 80 },
      https_addr: { host: '::', port: 443 },
      max_concurrent_requests: 1024,
      request_timeout_secs: 60,
      variants_cache_mb: 1024,
      server_headers: true,
      proxy_fields: 'x-forwarded',
      trusted_proxies: [],
      access_log: 0.01,
      access_log_lines_per_second: 100,
      log_addresses: 'prefix',
      worker_memory_mb: 1024,
      local_hosts: false,
      local_https: false,
    },
    images: {
      enabled: true,
      cache_size_mb: 500,
      max_width: 4096,
      max_height: 4096,
      allowed_formats: ['webp', 'jpg', 'jpeg', 'png', 'avif'],
      widths: [],
    },
    wasm: {
      enabled: true,
      default_timeout_ms: 3000,
      max_timeout_ms: 30000,
      default_max_memory_mb: 64,
      max_memory_mb: 512,
      components_cache_mb: 1024,
      transforms_cache_mb: 200,
    },
    acme: {
      enabled: true,
      email: '',
      staging: false,
      fallback_directories: [],
      caa_identities: [],
      renewal_threshold: 30,
      check_interval: 300,
    },
    health: {
      enabled: true,
      check_interval: 10,
      dns_timeout: 5,
      http_timeout: 5,
      failure_threshold: 3,
      success_threshold: 2,
    },
    o11y: { sampling_ratio: 0.1, tracing_enabled: true, metrics_enabled: true, logging_enabled: true },
  })
})

t.test('what the file says stands', async (t) => {
  const { id } = createTestCluster()
  const config = check(`[node]
name = "a"
cluster = "${id}"
control = "/tmp/c.sock"
[replication]
addr = "127.0.0.1:0"
bootstrap = ["node2.example.com:8787", "[2001:db8::1]:8787"]
blobs_addr = "[fd00::1]:8282"
[dns]
addr = "127.0.0.1:5300"
[web]
trusted_proxies = ["10.0.0.0/8", "::1"]
local_hosts = true
workers = 2
[[wireguard.bootstrap]]
endpoint = "a:1"
address = "fd00::2"
public_key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
`)
  t.equal(config.node.cluster, id)
  t.same(config.replication, {
    addr: { host: '127.0.0.1', port: 0 },
    bootstrap: [
      { host: 'node2.example.com', port: 8787 },
      { host: '2001:db8::1', port: 8787 },
    ],
    blobs_addr: { host: 'fd00::1', port: 8282 },
    dial_members: false,
  })
  t.equal(config.web.local_hosts, true)
})

t.test('all faults are told together, with what may explain them', async (t) => {
  t.throws(
    () =>
      check(
        '[nod]\nname = "a"\n[dns]\naddr = ":53"\n[wasm]\ndefault_timeout_ms = 99999\n[web]\ntrusted_proxies = ["10.0.0.0/33"]\n',
      ),
    {
      code: 'MAKI_CONFIG',
      message: `d.toml has 4 faults:
  d.toml:1:1: node: it is missing
  d.toml:4:8: dns.addr: ":53" is not an address to use: host:port is expected, with brackets around an IPv6 address
  d.toml:6:22: wasm.default_timeout_ms: 99999 is more than max_timeout_ms, which is 30000
  d.toml:8:20: web.trusted_proxies[0]: an address or network is expected, like "10.0.0.0/8"
  warning: d.toml:1:2: nod: unknown key; did you mean "node"?`,
    },
  )
})

t.test('a file that is not there says what makes one', async (t) => {
  await t.rejects(loadDaemonConfig(join(t.testdir({}), 'none.toml')), {
    code: 'MAKI_CONFIG',
    hint: /makiatto run --config FILE/,
  })
})

t.test('listen addresses', async (t) => {
  for (const text of ['[::]:53', '127.0.0.1:8080', '[2001:db8::1]:0', '0.0.0.0:65535'])
    t.equal(formatListenAddress(parseListenAddress(text)), text)
  for (const text of [
    '',
    ':53',
    '::1:53',
    '127.0.0.1',
    'localhost:80',
    '[127.0.0.1]:80',
    '1.2.3.4:65536',
    '1.2.3.4:-1',
    '[::]:x',
    '1.2.3.4:80 ',
    '[::1]',
  ])
    t.throws(() => parseListenAddress(text), { code: 'MAKI_INVALID' }, JSON.stringify(text))
  t.same(parseEndpoint('node.example.com:1'), { host: 'node.example.com', port: 1 })
  for (const text of ['node:0', '-x:1', 'a b:1', ':1', 'http://a:1'])
    t.throws(() => parseEndpoint(text), { code: 'MAKI_INVALID' }, JSON.stringify(text))
})

t.test('resolvers are addresses, at port 53 unless they say otherwise', async (t) => {
  t.same(parseResolver('9.9.9.9'), { host: '9.9.9.9', port: 53 })
  t.same(parseResolver('2620:fe::fe'), { host: '2620:fe::fe', port: 53 })
  t.same(parseResolver('127.0.0.1:5353'), { host: '127.0.0.1', port: 5353 })
  t.same(parseResolver('[2620:fe::fe]:5353'), { host: '2620:fe::fe', port: 5353 })
  for (const text of ['', 'dns.example', 'dns.example:53', '9.9.9.9:0', '9.9.9.9:65536', '[9.9.9.9]:53'])
    t.throws(() => parseResolver(text), { code: 'MAKI_INVALID', hint: /./ }, JSON.stringify(text))
})
