import t from 'tap'
import type { Hostname } from '../../../core/index.ts'
import { SecuredHosts } from '../../../edge/site/index.ts'
import { type Asked, buildManifest, buildSite, buildTable, decide, MemoryBlobs, siteRequest } from '../fixtures.ts'

const manifest = buildManifest(new MemoryBlobs(), { 'index.html': 'home' })
const hosts = ['example.com', 'www.example.com', 'plain.com'] as Hostname[]
const secured = new SecuredHosts(['example.com', '*.example.com']).of('example.com', hosts)
const table = buildTable(buildSite(manifest, { hosts, secured }))

function ask(asked: Asked & { covers?: (host: string) => boolean }, httpsPort: number | undefined = 443) {
  const { status, headers } = decide({ ...siteRequest(asked), covers: asked.covers }, table, {
    node: 'tokyo',
    httpsPort,
  })
  return { status, location: headers.location, strict: headers['strict-transport-security'] }
}
const served = { status: 200, location: undefined, strict: undefined }

t.test('who asks in clear is sent to HTTPS where a valid certificate is served', async (t) => {
  for (const [asked, port, location] of [
    [{ target: '/a?b=c' }, 443, 'https://example.com/a?b=c'],
    [{ host: 'WWW.example.com.' }, 443, 'https://www.example.com/'],
    [{ method: 'POST' }, 443, 'https://example.com/'],
    [{ host: 'example.com:8080' }, 443, 'https://example.com/'],
    [{ host: 'example.com:8080' }, 8443, 'https://example.com:8443/'],
    [{ host: 'example.com' }, 8443, 'https://example.com/'],
    [{ target: 'http://example.com/x' }, 443, 'https://example.com/x'],
    [{ target: '//evil.com/%0d%0aset-cookie:x' }, 443, 'https://example.com//evil.com/%0d%0aset-cookie:x'],
    [{ target: '/a\r\nb"<>' }, 443, 'https://example.com/a%0D%0Ab%22%3C%3E'],
  ] as const) {
    t.strictSame(ask(asked, port), { status: 308, location, strict: undefined }, JSON.stringify([asked, port]))
  }
  t.strictSame(ask({ host: 'plain.com' }), served, 'a host without a certificate')
  t.strictSame(decide(siteRequest(), table, { node: 'tokyo' }).status, 200, 'a node that serves no HTTPS')
  t.equal(ask({ target: '/.well-known/acme-challenge/token' }).status, 404, 'an authority that asks for its token')
  t.equal(ask({ target: '/.well-known/acme-challengers' }).status, 308)
  t.equal(ask({ host: 'elsewhere.com' }).status, 404)
})

t.test('HSTS stands in what comes over TLS for such a host, and nowhere else', async (t) => {
  const strict = 'max-age=31536000'
  t.strictSame(ask({ secure: true }), { ...served, strict })
  t.strictSame(ask({ secure: true, target: '/none' }), { ...served, status: 404, strict })
  t.strictSame(ask({ secure: true, host: 'plain.com' }), served)
  t.strictSame(ask({ target: '/.well-known/acme-challenge/token' }), { ...served, status: 404 }, 'in clear')
  t.strictSame(ask({ secure: true, host: 'elsewhere.com' }), { ...served, status: 404 })
})

t.test(
  'a host that the connection has no certificate for is told to come by another (RFC 9110 section 15.5.20)',
  async (t) => {
    const covers = (host: string) => host === 'example.com'
    t.equal(ask({ secure: true, covers }).status, 200)
    t.equal(ask({ secure: true, covers, host: 'www.example.com' }).status, 421)
    t.equal(ask({ secure: true, covers, target: 'https://www.example.com/' }).status, 421)
    t.equal(ask({ secure: true, covers, host: 'elsewhere.com' }).status, 421)
    t.equal(ask({ secure: true, covers, host: 'bad host' }).status, 400)
  },
)
