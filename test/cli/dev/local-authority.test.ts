import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type CertificateNames, makeLocalAuthority } from '../../../cli/dev/local-authority.ts'
import { listLocalNames } from '../../../cli/dev/local-certificates.ts'
import { type Hostname, isKeyOf, parseCertificateChain, parsePrivateKey } from '../../../core/index.ts'

const folder = t.testdir()
const at = (name: string) => join(folder, name)
const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })
const names = (...list: string[]) => list as unknown as CertificateNames
const sets = [names('shop.example', '*.shop.example', 'shop.example.localhost'), names('other.test', '*.other.test')]
const NOW_MS = Date.now()

t.test('its certificates are verified by others, each with a key of its own', async (t) => {
  const { certificate, issued } = await makeLocalAuthority(sets, NOW_MS)
  writeFileSync(at('ca.pem'), certificate)
  for (const [i, one] of issued.entries()) {
    writeFileSync(at('leaf.pem'), one.chain)
    for (const name of sets[i] ?? []) {
      const host = name.replace('*', 'any')
      t.match(
        openssl(
          'verify',
          '-x509_strict',
          '-purpose',
          'sslserver',
          '-verify_hostname',
          host,
          '-CAfile',
          at('ca.pem'),
          at('leaf.pem'),
        ),
        /OK/,
      )
    }
    const chain = parseCertificateChain(one.chain)
    t.strictSame([...chain.names].sort(), [...one.names].sort())
    t.ok(isKeyOf(chain, parsePrivateKey(one.key)))
    const days = (chain.notAfterMs - NOW_MS) / 86_400_000
    t.ok(days > 396 && days <= 398, `${days} days`)
  }
  t.equal(new Set(issued.map(({ key }) => key)).size, issued.length)
  t.notMatch(certificate, /PRIVATE/)
})

t.test('whoever trusts it trusts these names alone, also where its key were known', async (t) => {
  const { certificate } = await makeLocalAuthority(sets, NOW_MS)
  // The same constraints in an authority whose key is known: it signs what it likes, and is not believed.
  const text = openssl('asn1parse', '-in', writeTo('real.pem', certificate))
  const lines = text.split('\n')
  const found = lines.findIndex((line) => line.includes('X509v3 Name Constraints'))
  const hex = /\[HEX DUMP\]:([0-9A-F]+)/.exec(lines.slice(found).join('\n'))?.[1]?.match(/../g)?.join(':')
  t.type(hex, 'string')
  const extensions = ['basicConstraints=critical,CA:TRUE,pathlen:0', `2.5.29.30=critical,DER:${hex}`]
  openssl(
    'req',
    '-x509',
    ...key('ca.key'),
    '-out',
    at('known.pem'),
    '-days',
    '30',
    '-subj',
    '/CN=Known',
    ...extensions.flatMap((one) => ['-addext', one]),
  )
  const verify = (alternative: string): string => {
    writeFileSync(at('leaf.ext'), `subjectAltName=${alternative}\nbasicConstraints=CA:false\n`)
    openssl('req', '-new', ...key('leaf.key'), '-out', at('leaf.csr'), '-subj', '/')
    openssl(
      'x509',
      '-req',
      '-in',
      at('leaf.csr'),
      '-CA',
      at('known.pem'),
      '-CAkey',
      at('ca.key'),
      '-set_serial',
      '7',
      '-days',
      '9',
      '-extfile',
      at('leaf.ext'),
      '-out',
      at('leaf.pem'),
    )
    try {
      return openssl('verify', '-CAfile', at('known.pem'), at('leaf.pem'))
    } catch (error) {
      return String((error as { stderr?: string; stdout?: string }).stderr)
    }
  }
  for (const inside of ['DNS:shop.example', 'DNS:a.b.shop.example', 'DNS:x.shop.example.localhost', 'DNS:other.test'])
    t.match(verify(inside), /OK/, inside)
  for (const outside of [
    'DNS:bank.example',
    'DNS:example',
    'DNS:notshop.example',
    'DNS:localhost',
    'IP:127.0.0.1',
    'IP:::1',
    'DNS:shop.example,DNS:bank.example',
  ])
    t.match(verify(outside), /permitted subtree violation|excluded subtree violation/, outside)
})

t.test('the authority is for servers, signs no other authority, and ends', async (t) => {
  const { certificate } = await makeLocalAuthority(sets, NOW_MS)
  const text = openssl('x509', '-in', writeTo('real.pem', certificate), '-noout', '-text')
  t.match(text, /CA:TRUE, pathlen:0/)
  t.match(text, /Extended Key Usage:\s+TLS Web Server Authentication/)
  t.match(text, /Key Usage: critical\s+Certificate Sign\n/)
  const again = await makeLocalAuthority(sets, NOW_MS)
  t.not(new X509Certificate(again.certificate).serialNumber, new X509Certificate(certificate).serialNumber)
})

t.test('the names of a domain', async (t) => {
  const list = (name: string, ...aliases: string[]) =>
    listLocalNames({ name: name as Hostname, aliases: aliases as Hostname[] })
  t.strictSame(list('maki.localhost', 'www.maki.localhost'), ['maki.localhost', '*.maki.localhost'])
  t.strictSame(list('shop.example', 'www.shop.example', 'a.b.shop.example', 'other.test'), [
    ...['shop.example', '*.shop.example', 'a.b.shop.example', '*.a.b.shop.example', 'other.test', '*.other.test'],
    ...[
      'shop.example.localhost',
      '*.shop.example.localhost',
      'a.b.shop.example.localhost',
      '*.a.b.shop.example.localhost',
    ],
    ...['other.test.localhost', '*.other.test.localhost'],
  ])
})

function writeTo(name: string, text: string): string {
  writeFileSync(at(name), text)
  return at(name)
}

const key = (name: string): string[] => [
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:prime256v1',
  '-nodes',
  '-keyout',
  at(name),
]
