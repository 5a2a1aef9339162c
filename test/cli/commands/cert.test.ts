import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { listDoubts, readImport } from '../../../cli/certificates.ts'
import {
  type CertificateName,
  type CertificateValue,
  type Change,
  createSigner,
  type Entry,
  isWeakEpoch,
  keys,
  parseCertificateChain,
  type SealEpochKey,
} from '../../../core/index.ts'
import { CertificateMaker } from '../../support/certificate-maker.ts'
import * as pem from '../../support/certificates.ts'
import { announceSchema, startTestCluster, type TestCluster, testKey } from '../support/test-cluster.ts'

async function startSealedCluster(): Promise<TestCluster> {
  const cluster = await startTestCluster()
  await announceSchema(cluster)
  for (const [name, text] of Object.entries(pem)) await writeFile(join(cluster.directory, name), text)
  return cluster
}

const IMPORT = ['cert', 'import', 'LEAF', 'INTERMEDIATE', '--private-key', 'LEAF_KEY']

t.test('import, list, show, export', async (t) => {
  await using cluster = await startSealedCluster()
  const { replica } = cluster.nodes[0]!
  t.match(await cluster.maki('cert', 'list'), { code: 0, stdout: /no certificate yet/, stderr: /orders none/ })
  const imported = await cluster.maki(...IMPORT)
  t.match(imported, {
    code: 0,
    stdout: /^Imported example\.com for \*\.example\.com, example\.com, valid until 2\d{3}-.* \(at one\)\.\n$/,
    stderr: /no host names are not used: IP Address:192\.0\.2\.1/,
  })
  const key = keys.certificate('example.com' as CertificateName)
  const entry = replica.state.get(key)
  t.notMatch(JSON.stringify(replica.snapshot()), 'PRIVATE KEY')
  const count = replica.count
  t.match(await cluster.json(...IMPORT), { changed: false, operation: null })
  t.equal(replica.count, count, 'the same certificate again writes nothing')
  t.match(await cluster.json(...IMPORT, '--offline'), { changed: false })

  const [row] = await cluster.json<{ daysLeft: number }[]>('cert', 'list')
  t.match(row, {
    name: 'example.com',
    names: ['*.example.com', 'example.com'],
    issuer: 'Test Test Intermediate',
    sealed: 'ok',
    operation: entry?.operation,
  })
  t.ok(row!.daysLeft > 30_000)
  t.match(await cluster.maki('cert', 'list'), { stdout: /^NAME +DAYS LEFT +ISSUER +KEY +FOR\nexample\.com +\d+/ })
  t.match(await cluster.maki('cert', 'show', 'example.com'), { stdout: /key +sealed; only nodes can open it/ })
  t.match(await cluster.maki('cert', 'show', 'exmaple.com'), { code: 4, stderr: /Try: example\.com/ })
  const exported = await cluster.maki('cert', 'export', '*.example.com')
  t.equal(exported.stdout, pem.LEAF + pem.INTERMEDIATE)
  t.match(exported.stderr, /private key stays on the nodes/)

  t.match(await cluster.json('cert', 'import', 'OTHER', 'OTHER_KEY'), { changed: true, name: 'other.example' })
})

t.test('what could not be served is refused, and no key is in the message', async (t) => {
  await using cluster = await startSealedCluster()
  const { replica } = cluster.nodes[0]!
  await writeFile(join(cluster.directory, 'junk'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  const before = replica.count
  const cases: [string[], number, RegExp][] = [
    [['-', '--private-key', '-'], 2, /standard input is named twice/],
    [['/dev/zero', '--private-key', 'LEAF_KEY'], 2, /zero cannot be read: it has more than 1048576 bytes/],
    [['LEAF', '--private-key', 'OTHER_KEY'], 2, /not that of the certificate for \*\.example\.com, example\.com/],
    [['LEAF'], 2, /private key of the certificate is missing\nTry: Name its file too: --private-key/],
    [['LEAF', '--private-key', 'ENCRYPTED_KEY'], 2, /encrypted with a passphrase\nTry: .*openssl pkey/],
    [['LEAF', '--private-key', 'LEAF'], 2, /no private key in PEM/],
    [['EXPIRED', '--private-key', 'EXPIRED_KEY'], 2, /expired on 2026-11-21/],
    [['LEAF_KEY'], 2, /no certificate in PEM\nTry: [\s\S]*openssl pkcs12 -in FILE/],
    [['junk', '--private-key', 'LEAF_KEY'], 2, /certificate 1 cannot be read/],
    [['LEAF', 'OTHER', '--private-key', 'LEAF_KEY'], 2, /it holds 2 chains/],
    [['INTERMEDIATE', '--private-key', 'LEAF_KEY'], 2, /that of an authority.*\nTry: .*CA:FALSE/],
    [['nowhere', '--private-key', 'LEAF_KEY'], 2, /nowhere cannot be read/],
  ]
  for (const [args, code, text] of cases) {
    const outcome = await cluster.maki('cert', 'import', ...args)
    t.match(outcome, { code, stdout: '', stderr: text }, args.join(' '))
    t.notMatch(outcome.stderr, 'MIG', 'nothing of a key')
  }
  t.ok(replica.count <= before + 1, 'nothing but an epoch was written')
})

t.test('one that would take the place of a better one is refused or told of, and shown with its dates', async (t) => {
  await using cluster = await startSealedCluster()
  const [one] = cluster.nodes
  if (one === undefined) return
  const DAY_MS = 86_400_000
  t.match(await cluster.maki(...IMPORT), { code: 0 })
  const name = 'example.com' as CertificateName
  const { replica } = one
  const key = keys.certificate(name)
  const { value } = replica.state.get(key) as Entry<CertificateValue>
  const { notBeforeMs, notAfterMs } = parseCertificateChain(value.chain)
  const names = [name, 'www.example.com', 'a.b.example.com'] as CertificateName[]
  const write = (times: Partial<CertificateValue>) =>
    cluster.write(one, [{ kind: 'certificate.set', ...value, chain: pem.OTHER, names, ...times }])
  const read = (nowMs: number) => readImport(replica.state, [pem.LEAF, pem.INTERMEDIATE], pem.LEAF_KEY, nowMs)

  await write({ notBeforeMs: notBeforeMs - 2 * DAY_MS })
  t.throws(() => read(notBeforeMs - DAY_MS), {
    code: 'MAKI_INVALID',
    message: /place of example\.com, which is valid now/,
  })
  t.same(read(notBeforeMs + DAY_MS).name, name)
  const told = listDoubts(replica.state, read(notBeforeMs + DAY_MS), notBeforeMs + DAY_MS).join('\n')
  t.match(told, 'the one whose place it takes is also for a.b.example.com, and this is not')
  t.notMatch(told, 'valid for longer')

  await write({ notAfterMs: notAfterMs + DAY_MS })
  t.match(await cluster.maki(...IMPORT), { code: 0, stderr: /valid for longer, until 2\d{3}-/ })
  await write({ notBeforeMs: Date.now() + 2 * DAY_MS })
  t.match(await cluster.maki('cert', 'list'), { stdout: /example\.com +from 2\d{3}-/ })
  t.match(await cluster.maki('cert', 'show', name), { stdout: /\(not valid yet\)/ })
  t.doesNotThrow(() => read(notBeforeMs - DAY_MS), 'where none is served, none is lost')
  await write({ notBeforeMs: 0, notAfterMs: Date.now() - 2 * DAY_MS })
  t.match(await cluster.maki('cert', 'show', name), { stdout: /\(expired\)/ })
})

t.test('without an epoch nothing is sealed offline; a removed machine exposes what it knew', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  for (const [name, text] of Object.entries(pem)) await writeFile(join(cluster.directory, name), text)
  t.match(await cluster.maki(...IMPORT), { code: 4, stderr: /without seals|would not understand/ })
  await cluster.maki('pull')
  t.match(await cluster.maki(...IMPORT, '--offline'), { code: 3, stderr: /no key is known that only nodes can open/ })

  const [one] = cluster.nodes
  for (const i of [0, 1])
    await cluster.write(one!, [{ kind: 'node.update', key: testKey(100 + i).key, set: { schema: 2 } }])
  t.match(await cluster.maki(...IMPORT), { code: 0 })
  await cluster.write(one!, [{ kind: 'node.remove', key: testKey(101).key, how: 'revoke' }])
  t.match(await cluster.json('cert', 'list'), [{ sealed: 'exposed' }])
  t.match(await cluster.maki('cert', 'list'), { stdout: /exposed: a machine that was removed/ })
  t.match(await cluster.maki(...IMPORT), { code: 0, stderr: /have a certificate issued for a new key/ })
  await rm(join(cluster.directory, 'LEAF'))
})

t.test('what waits and why, orders, revocations; days are few by how long a certificate lives', async (t) => {
  await using cluster = await startSealedCluster()
  const [one] = cluster.nodes
  if (one === undefined) return
  const name = 'example.com' as CertificateName
  const directory = 'https://acme.example/directory'
  using maker = new CertificateMaker()
  const made = maker.make([name])
  await writeFile(join(cluster.directory, 'LEAF'), made.chain)
  await writeFile(join(cluster.directory, 'LEAF_KEY'), made.key)
  t.match(await cluster.maki('cert', 'import', 'LEAF', '--private-key', 'LEAF_KEY'), { code: 0 })
  const entry = one.replica.state.get(keys.certificate(name)) as Entry<CertificateValue>
  const live = async (lifeHours: number, leftHours: number) => {
    const notAfterMs = Date.now() + leftHours * 3_600_000
    const notBeforeMs = notAfterMs - lifeHours * 3_600_000
    await cluster.write(one, [{ kind: 'certificate.set', ...entry.value, directory, notBeforeMs, notAfterMs }])
    return (await cluster.json<{ isLate: boolean; lifeLeft: number }[]>('cert', 'list'))[0]
  }
  t.match(await live(90 * 24, 29 * 24), { isLate: false, directory }, 'its renewal is due, and there is time')
  t.match(await live(90 * 24, 14 * 24), { isLate: true })
  t.match(await live(6 * 24, 2 * 24), { isLate: false, lifeLeft: 0.333 }, 'six days')
  t.match(await live(6 * 24, 1 * 24), { isLate: true })

  const author = testKey(100)
  const failed: Change = {
    kind: 'certificate.order',
    name,
    names: [name],
    directory,
    phase: 'failed',
    startedMs: [Date.now() - 60_000],
    failures: 1,
    retryMs: Date.now() + 60_000,
    problem: { type: 'dns', detail: 'no \u001b[31msuch name' },
  }
  await cluster.write(one, [failed], author)
  t.match(await cluster.maki('cert', 'list'), {
    stdout: /\n\nfailed example\.com: no \\x1b\[31msuch name \(dns, at one\)\n$/,
  })
  const reason = 'its name servers are elsewhere'
  one.certificates = {
    uncovered: [{ name: 'other.example', code: 'elsewhere', reason }],
    waiting: [{ name, code: 'back-off', reason: 'The authority is down.', next: '2030-01-01T00:00:00.000Z' }],
  }
  t.match(await cluster.maki('cert', 'list'), {
    stdout:
      /waits example\.com: The authority is down\. Tried again at 2030-01-01T00:00:00.000Z\.\nwaits other\.example: its name servers are elsewhere\n$/,
  })
  t.match(await cluster.json('cert', 'list'), [
    { name, waiting: [{ code: 'back-off' }], week: { started: 1, issued: 0 }, orders: [{ node: 'one' }] },
    { name: 'other.example', operation: null, notAfter: null, waiting: [{ code: 'elsewhere', reason, next: null }] },
  ])
  const shown = await cluster.maki('cert', 'show', name)
  t.match(shown.stdout, /ordered +from https:\/\/acme\.example\/directory\nwaits +The authority is down/)
  t.match(shown.stdout, /order +failed at one, .*: no \\x1b\[31msuch name \(dns\), not again before 2/)
  t.match(shown.stdout, /week +1 order begun, 0 of them with a certificate/)
  t.match(await cluster.maki('cert', 'show', 'other.example'), {
    code: 0,
    stdout: /there is none yet\nwaits +its name/,
  })

  const revoke = (phase: 'due' | 'given-up'): Change => ({
    kind: 'certificate.revoke',
    id: entry.operation,
    name,
    certificate: made.chain,
    key: entry.value.key,
    directory,
    reason: 1,
    phase,
    ...(phase === 'due' ? {} : { detail: 'alreadyGone' }),
  })
  await cluster.write(one, [revoke('due')])
  t.match(await cluster.maki('cert', 'list'), {
    stdout: /revokes example\.com: 1 old certificate is to be revoked yet/,
  })
  await cluster.write(one, [revoke('given-up')])
  t.match(await cluster.maki('cert', 'show', name), { stdout: /authority did not take a revocation: alreadyGone/ })
})

t.test('names of epochs that are no keys', async (t) => {
  t.ok(isWeakEpoch('a'.repeat(52) as SealEpochKey))
  t.notOk(isWeakEpoch(createSigner(new Uint8Array(32).fill(1)).key as string as SealEpochKey))
})

t.test('one that was imported by mistake is taken away', async (t) => {
  await using cluster = await startSealedCluster()
  t.equal((await cluster.maki(...IMPORT)).code, 0)
  const asked = await cluster.maki('cert', 'remove', '*.example.com')
  t.match(asked, { code: 2, stderr: /is for \*\.example\.com, example\.com\.\nNo other one is for .*--yes/s })
  t.match(await cluster.json('cert', 'remove', 'example.com', '--yes', '-m', 'by mistake'), {
    name: 'example.com',
    bare: ['*.example.com', 'example.com'],
    node: 'one',
  })
  t.match(await cluster.maki('cert', 'list'), { code: 0, stdout: /no certificate yet/ })
  t.match(await cluster.maki('cert', 'remove', 'example.com', '--yes'), {
    code: 4,
    stderr: /no certificate example\.com/,
  })
})
