import t from 'tap'
import { openEnvironment } from '../../../../cli/node/components/environments.ts'
import { listTroubles } from '../../../../cli/node/components/list-troubles.ts'
import { type Hostname, type Log, MakiError, type Release, type Sealed, sealPurpose } from '../../../../core/index.ts'
import { hashOf } from './made-components.ts'

const DOMAIN = 'a.test' as Hostname

/** Seals that tell for what they are: `open` gives what was sealed for just that purpose. */
const sealFor = (path: string, name: string, value: string, epoch = 'known') =>
  ({ epoch, box: `${sealPurpose.env(DOMAIN, path, name)}=${value}` }) as unknown as Sealed

const seals = {
  open(purpose: string, sealed: Sealed): Uint8Array {
    const { epoch, box } = sealed as unknown as { epoch: string; box: string }
    if (epoch !== 'known') throw new MakiError('MAKI_NOT_FOUND', 'this node was not given the key')
    const [what, value = ''] = box.split('=')
    if (what !== purpose) throw new MakiError('MAKI_INVALID', 'it was sealed for something else')
    return Buffer.from(value, 'latin1')
  },
}

/** All that was logged, as text. */
function record(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = []
  const write = (event: string, data?: Record<string, unknown>) => void lines.push(`${event} ${JSON.stringify(data)}`)
  return { log: { debug: write, info: write, warn: write, error: write }, lines }
}

const ask = (env: Record<string, Sealed>) => {
  const { log, lines } = record()
  return { answer: openEnvironment(seals, { kind: 'environment', domain: DOMAIN, path: 'api.wasm', env }, log), lines }
}

t.test('an environment is opened as a whole, and no value is logged', async (t) => {
  t.strictSame(ask({}), { answer: { env: {} }, lines: [] })
  const KEY = sealFor('api.wasm', 'KEY', 'secret')
  const TEXT = sealFor('api.wasm', 'TEXT', 'gr\xc3\xbcn')
  t.strictSame(ask({ KEY, TEXT }), { answer: { env: { KEY: 'secret', TEXT: 'grün' } }, lines: [] })
})

t.test('nothing is opened while one value cannot be', async (t) => {
  const KEY = sealFor('api.wasm', 'KEY', 'secret')
  const { answer, lines } = ask({ KEY, OTHER: sealFor('api.wasm', 'OTHER', 'hidden', 'unknown') })
  t.equal(answer, null)
  t.match(lines, [/^environment\.not-granted .*"OTHER"/])
  t.notMatch(lines.join(), /secret|hidden/)
})

t.test('a box that was copied to another place opens nowhere', async (t) => {
  for (const KEY of [sealFor('other.wasm', 'KEY', 'stolen'), sealFor('api.wasm', 'OTHER', 'stolen')]) {
    const { answer, lines } = ask({ KEY })
    t.equal(answer, null)
    t.match(lines, [/^environment\.not-opened/])
    t.notMatch(lines.join(), /stolen/)
  }
  t.equal(ask({ KEY: sealFor('api.wasm', 'KEY', '\xff') }).answer, null, 'what is no text either')
})

t.test('what of served releases cannot be run is listed with its domain and path', async (t) => {
  const fault = { code: 'broken', message: 'it is broken', hint: '' } as const
  const release = {
    functions: [
      { path: 'good.wasm', component: hashOf('good') },
      { path: 'bad.wasm', component: hashOf('bad') },
    ],
    transforms: [{ path: 'bad-too.wasm', component: hashOf('bad') }],
  } as unknown as Release
  const served = new Map([
    [DOMAIN, release],
    ['b.test' as Hostname, {} as Release],
  ])
  t.strictSame(
    listTroubles(served, (component) => (component === hashOf('bad') ? fault : undefined)),
    [
      { domain: DOMAIN, path: 'bad.wasm', message: 'it is broken' },
      { domain: DOMAIN, path: 'bad-too.wasm', message: 'it is broken' },
    ],
  )
})
