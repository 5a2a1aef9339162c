import t from 'tap'
import { SiteRules } from '../../../edge/index.ts'
import { applyHeaderRules, noteDependence } from '../../../edge/respond/edit-headers.ts'
import type { Plan } from '../../../edge/respond/index.ts'

const ruledBy = (headers: string) => ({
  rules: SiteRules.parse({ _headers: Buffer.from(headers) }).rules,
  host: 'example.com',
  at: { path: 'a', slash: false },
  spelling: 'same' as const,
})
const planOf = (status: number, headers: Plan['headers']): Plan => ({ status, headers, body: { kind: 'none' } })

t.test('what the node says for the sake of caches and previews stays', async (t) => {
  const ours = { vary: 'accept-encoding', 'x-robots-tag': 'noindex', etag: '"a"' }
  const edited = applyHeaderRules(
    planOf(200, ours),
    ruledBy('/*\n ! Vary\n ! X-Robots-Tag\n Vary: Cookie\n X-Robots-Tag: all\n'),
  )
  t.strictSame(edited.headers, { vary: 'accept-encoding, Cookie', 'x-robots-tag': 'noindex, all', etag: '"a"' })
  const detached = applyHeaderRules(planOf(200, ours), ruledBy('/*\n ! Vary\n ! X-Robots-Tag\n'))
  t.strictSame(detached.headers, ours)
})

t.test('answers that come from no file are left as they are', async (t) => {
  const ruled = ruledBy('/*\n Cache-Control: max-age=1\n X: y\n')
  for (const status of [301, 308, 400, 401, 405, 412, 416, 500, 503]) {
    const plan = planOf(status, { 'cache-control': 'no-store' })
    t.equal(applyHeaderRules(plan, ruled), plan, String(status))
  }
  t.strictSame(applyHeaderRules(planOf(404, { 'cache-control': 'no-store' }), ruled).headers, {
    'cache-control': 'no-store',
    x: 'y',
  })
  t.strictSame(
    ours(noteDependence(planOf(200, { 'cache-control': 'public, max-age=9' }), { language: true, country: true })),
    {
      'cache-control': 'private, no-cache',
      vary: 'accept-language',
    },
  )
  t.strictSame(ours(noteDependence(planOf(200, { 'cache-control': 'no-store' }), { language: false, country: true })), {
    'cache-control': 'no-store',
  })
})

const ours = (plan: Plan) => ({ ...plan.headers })
