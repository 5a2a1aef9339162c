import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { NameService, type NameServiceOptions } from '../../../dns/service/index.ts'
import { type RawQuery, rawQuery, readMessage } from '../wire-message.ts'

/** Whether what a name service is made with reaches its answers. */

const OPTIONS: NameServiceOptions = {
  log: silentLog,
  runtime: { ...systemRuntime, now: () => 1559731985_999 },
  answers: 1,
  authorities: [],
  places: { databases: [], overrides: undefined },
  readRules: async () => [],
  cookieSecret: 'e5e973e5a6b2a43f48e7dc849e37bfcf',
  rateLimit: 0,
  nsid: 'tokyo-1',
  version: 'Makiatto 1',
}
const ASKER = { address: '198.51.100.100', transport: 'udp' } as const

function ask(options: NameServiceOptions, query: RawQuery) {
  const reply = new NameService(options).reply(rawQuery(query), ASKER)
  if (reply.kind === 'drop') throw new Error('there is no reply')
  return readMessage(Buffer.from(reply.bytes))
}

t.test('cookies of the secret and the clock, the name and the version that are configured', async (t) => {
  const options = [
    [3, Buffer.alloc(0)],
    [10, Buffer.from('2464c4abcf10c957', 'hex')],
  ] as const
  const got = ask(OPTIONS, { edns: { options } })
  t.equal(got.rcode, 5)
  t.strictSame(
    got.opt?.options.map(([code, data]) => [code, Buffer.from(data).toString('hex')]),
    [
      [10, '2464c4abcf10c957010000005cf79f111f8130c3eee29480'],
      [3, Buffer.from('tokyo-1').toString('hex')],
    ],
  )
  const chaos = { type: 16, class: 3 }
  t.match(ask(OPTIONS, { name: 'version.bind', ...chaos }), { rcode: 0, answers: { length: 1 } })
  const silent = { ...OPTIONS, nsid: undefined, version: undefined }
  t.match(ask(silent, { name: 'version.bind', ...chaos }), { rcode: 5, answers: { length: 0 } })
  t.throws(() => new NameService({ ...OPTIONS, cookieSecret: '' }), RangeError)
})
