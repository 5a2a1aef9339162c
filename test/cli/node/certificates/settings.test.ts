import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkDaemonConfig } from '../../../../cli/config/daemon-config.ts'
import { parseToml } from '../../../../cli/config/toml.ts'
import { readCertificateSettings } from '../../../../cli/node/certificates/settings.ts'

const read = (data: string, acme: string) =>
  readCertificateSettings(
    checkDaemonConfig(parseToml(`[node]\nname = "n"\ndata_dir = "${data}"\n[acme]\n${acme}\n`, 'd.toml')),
  )

function makeData(t: Test, key?: string, mode = 0o600): string {
  const data = t.testdir({})
  mkdirSync(join(data, 'keys'))
  if (key === undefined) return data
  const file = join(data, 'keys', 'acme-eab')
  writeFileSync(file, key)
  chmodSync(file, mode)
  return data
}

t.test('which authorities are asked, in which order', async (t) => {
  const data = makeData(t)
  const directories = async (acme: string) => (await read(data, acme)).directories
  t.strictSame(await directories(''), ['https://acme-v02.api.letsencrypt.org/directory'])
  t.strictSame(await directories('staging = true'), ['https://acme-staging-v02.api.letsencrypt.org/directory'])
  const others = 'fallback_directories = ["https://b.example/dir", "https://a.example/dir"]'
  const own = `directory = "https://a.example/dir"\nstaging = true\n${others}`
  t.strictSame(await directories(own), ['https://a.example/dir', 'https://b.example/dir'], 'each once')
})

t.test('the key of an external account binding stands in a file that nobody else reads', async (t) => {
  const acme = 'eab_key_id = "customer-7"'
  t.strictSame((await read(makeData(t, 'c2VjcmV0LWtleQ==\n'), acme)).binding, {
    keyId: 'customer-7',
    hmacKey: 'c2VjcmV0LWtleQ',
  })
  for (const [why, data] of [
    ['there is none', makeData(t)],
    ['it is no key', makeData(t, 'not a key!')],
    ['others can read it', makeData(t, 'c2VjcmV0LWtleQ', 0o644)],
  ] as const)
    await t.rejects(read(data, acme), { code: 'MAKI_CONFIG', message: /acme-eab/, hint: /\S/ }, why)
  t.equal((await read(makeData(t, 'c2VjcmV0LWtleQ'), '')).binding, undefined, 'nobody asked for it')
})

t.test('who vouches for a private authority', async (t) => {
  const data = makeData(t)
  const file = join(data, 'ca.pem')
  await t.rejects(read(data, `ca_file = "${file}"`), { code: 'MAKI_CONFIG', message: /ca\.pem/ })
  writeFileSync(file, 'PEM')
  t.equal((await read(data, `ca_file = "${file}"`)).ca, 'PEM')
})
