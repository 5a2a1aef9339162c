import t from 'tap'
import { previewUrl } from '../../../cli/release/preview-url.ts'
import type { DomainView, Entry, Hostname, OperationId } from '../../../core/index.ts'

const NOW_MS = 1_000_000
const release = 'a'.repeat(52) as OperationId
const domain = { apex: 'example.com' as Hostname, settings: { previews: true } } as DomainView
const host = `${'a'.repeat(26)}--preview.example.com`

/** The link in a cluster with one certificate for these names. */
const linkWith = (names: readonly string[], notBeforeMs = 0, notAfterMs = NOW_MS): string | null =>
  previewUrl(
    {
      ids: (kind) => (kind === 'certificate' ? ['one'] : []),
      get: () => ({ value: { names, notBeforeMs, notAfterMs } }) as unknown as Entry,
    },
    domain,
    release,
    { purged: false },
    NOW_MS,
  )

t.test('https is said only where a certificate of the moment is for the host', async (t) => {
  t.equal(linkWith(['*.example.com']), `https://${host}/`)
  t.equal(linkWith(['example.com', host]), `https://${host}/`)
  t.equal(linkWith(['example.com', 'www.example.com', '*.example.org', '*.www.example.com']), `http://${host}/`)
  t.equal(linkWith(['*.example.com'], 0, NOW_MS - 1), `http://${host}/`, 'it has expired')
  t.equal(linkWith(['*.example.com'], NOW_MS + 1, NOW_MS + 2), `http://${host}/`, 'it holds only later')
})

t.test('there is no link where the domain shows none, or the release was purged', async (t) => {
  const none = { ids: () => [], get: () => undefined }
  t.equal(previewUrl(none, domain, release, { purged: true }, NOW_MS), null)
  const off = { ...domain, settings: { ...domain.settings, previews: false } }
  t.equal(previewUrl(none, off, release, { purged: false }, NOW_MS), null)
})

t.test('a cluster on this computer has ports of its own', async (t) => {
  const certified = {
    ids: () => ['one'],
    get: () => ({ value: { names: ['*.example.com'], notBeforeMs: 0, notAfterMs: NOW_MS } }) as unknown as Entry,
  }
  const none = { ids: () => [], get: () => undefined }
  const serves = { http: 8080, https: 8180 }
  t.equal(previewUrl(none, domain, release, { purged: false }, NOW_MS, serves), `http://${host}:8080/`)
  t.equal(previewUrl(certified, domain, release, { purged: false }, NOW_MS, serves), `https://${host}:8180/`)
  t.equal(
    previewUrl(certified, domain, release, { purged: false }, NOW_MS, { http: 80, https: 443 }),
    `https://${host}/`,
  )
})
