import { join } from 'node:path'
import t from 'tap'
import { loadProfile, loadProject } from '../../../cli/config/index.ts'
import { createTestCluster } from '../../support/histories.ts'

/** Files of the Makiatto that was written in Rust, as its version 0.6 wrote and read them. */

const env = { HOME: '/home/ada' }
const MACHINES = `[[machines]]
name = "vector"
ssh_target = "root@203.0.113.1"
is_nameserver = true
wg_public_key = "bXkgcHVibGljIGtleSBpcyBhcyBsb25nIGFzIHRoaXM="
wg_address = "10.44.44.1"
latitude = 40.7128
longitude = -74.006
ipv4 = "203.0.113.1"
ipv6 = "2001:db8::1"
sync_target = true

[[machines]]
name = "klukai"
ssh_target = "ubuntu@198.51.100.1"
port = 2222
is_nameserver = false
wg_public_key = "YW5vdGhlciBwdWJsaWMga2V5IG9mIDMyIG9jdGV0cyE="
wg_address = "10.44.44.2"
ipv4 = "198.51.100.1"
sync_target = false
`

t.test('its profile is refused with the way out, also when its last machine was removed', async (t) => {
  const folder = t.testdir({ 'my profile.toml': MACHINES, 'empty.toml': 'machines = []\n' })
  const refused = { code: 'MAKI_CONFIG', message: /written in Rust/ }
  const move = `mv '${join(folder, 'my profile.toml')}' '${join(folder, 'my profile.toml.rust')}'`
  await t.rejects(loadProfile(join(folder, 'my profile.toml'), env), refused)
  const thrown = await loadProfile(join(folder, 'my profile.toml'), env).catch((error: unknown) => error)
  const { hint } = thrown as { hint: string }
  t.ok(hint.includes(`\n  ${move}\n`), hint)
  t.match(hint, /docs\/coming-from-rust\.md/)
  await t.rejects(loadProfile(join(folder, 'empty.toml'), env), refused)
})

t.test('one of ours that lost its cluster is not taken for one', async (t) => {
  const folder = t.testdir({
    'control.toml': '[[machines]]\nname = "here"\nwg_public_key = "k"\ncontrol = "run/control.sock"\n',
    'pinned.toml': `${MACHINES}host_key = "ssh-ed25519 AAAA"\n`,
    'nothing.toml': '',
    'no-array.toml': 'machines = 7\n',
    'no-table.toml': 'machines = [7]\n',
  })
  for (const name of ['control', 'pinned', 'nothing', 'no-array', 'no-table'])
    await t.rejects(
      loadProfile(join(folder, `${name}.toml`), env),
      { code: 'MAKI_CONFIG', message: /cluster: it is missing/ },
      name,
    )
})

t.test('the keys of its machines mean the same', async (t) => {
  const folder = t.testdir({ 'p.toml': `cluster = "${createTestCluster().id}"\n${MACHINES}` })
  const { machines, warnings } = await loadProfile(join(folder, 'p.toml'), env, { strict: true })
  t.strictSame(warnings, [])
  t.match(machines, [
    {
      name: 'vector',
      sshTarget: 'root@203.0.113.1',
      isNameserver: true,
      latitude: 40.7128,
      longitude: -74.006,
      ipv4: '203.0.113.1',
      ipv6: '2001:db8::1',
    },
    { name: 'klukai', sshTarget: 'ubuntu@198.51.100.1', port: 2222, isNameserver: false, ipv4: '198.51.100.1' },
  ])
})

t.test('its project file is read as it is', async (t) => {
  const project = `[[domain]]
name = "example.com"
path = "./dist"
aliases = ["www.example.com", "old-domain.example.net"]

[[domain.records]]
type = "TXT"
name = "_dmarc"
value = "v=DMARC1; p=none; rua=mailto:dmarc@example.com"

[[domain.records]]
type = "MX"
value = "mail.example.com"
ttl = 300
priority = 10

[[domain.functions]]
path = "api/hello.wasm"
methods = ["GET", "POST"]
env = { GREETING = "hello" }
timeout_ms = 1000
max_memory_mb = 32

[[domain.transforms]]
path = "banner.wasm"
files = "**/*.html"
max_file_size_kb = 512

[[domain]]
name = "blog.example.org"
path = "./blog"
`
  const dist = { api: { 'hello.wasm': 'a component' }, 'banner.wasm': 'another' }
  const folder = t.testdir({ 'makiatto.toml': project, dist, blog: {} })
  const { domains, warnings } = await loadProject(join(folder, 'makiatto.toml'), { strict: true })
  t.strictSame(warnings, [])
  t.match(domains, [
    { name: 'example.com', components: { functions: [{}], transforms: [{}] } },
    { name: 'blog.example.org' },
  ])
})
