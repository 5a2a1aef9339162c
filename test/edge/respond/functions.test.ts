import t from 'tap'
import type { Hostname } from '../../../core/index.ts'
import {
  type Asked,
  buildManifest,
  buildSite,
  buildTable,
  decide,
  MemoryBlobs,
  releaseId,
  siteRequest,
} from '../fixtures.ts'

const manifest = buildManifest(new MemoryBlobs(), { 'index.html': 'home', '404.html': 'nothing' })
const functions = new Map([
  ['api/pay', ['POST']],
  ['api/any', undefined],
])
const site = buildSite(manifest, { hosts: ['example.com' as Hostname] })
const table = buildTable({ ...site, release: { id: releaseId('f'), manifest, functions } })

function ask(method: string, target: string, request: Asked = {}) {
  return decide(siteRequest({ method, target, ...request }), table, { node: 'tokyo' })
}

t.test('a function that is carried and not run says so plainly', async (t) => {
  const called = ask('POST', '/api/pay?x=1')
  t.equal(called.status, 501)
  t.match(called.headers, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  t.same(called.body, { kind: 'text', text: '501 Not Implemented\n' })
  for (const method of ['GET', 'DELETE', 'OPTIONS', 'HEAD']) t.equal(ask(method, '/api/any/').status, 501, method)
  t.match(ask('GET', '/api/pay'), { status: 405, headers: { allow: 'POST' } })
})

t.test('other paths are as they were', async (t) => {
  t.equal(ask('GET', '/').status, 200)
  for (const target of ['/api/pay.wasm', '/api', '/API/pay', '/api/pay/x', '/api%2Fpay', '/%'])
    t.not(ask('GET', target).status, 501, target)
  t.equal(ask('POST', '/').status, 405)
})
