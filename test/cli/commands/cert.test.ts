import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type CertificateName, createSigner, isWeakEpoch, keys, type SealEpochKey } from '../../../core/index.ts'
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
  t.match(await cluster.maki('cert', 'list'), { code: 0, stdout: /no certificate yet/ })
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
    [['LEAF_KEY'], 2, /no certificate in PEM/],
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

t.test('names of epochs that are no keys', async (t) => {
  t.ok(isWeakEpoch('a'.repeat(52) as SealEpochKey))
  t.notOk(isWeakEpoch(createSigner(new Uint8Array(32).fill(1)).key as string as SealEpochKey))
})
