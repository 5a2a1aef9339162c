import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { NameService } from '../../../dns/index.ts'
import { writeMmdb } from '../../support/mmdb.ts'

t.test('the country of an address, as HTTP asks for it', async (t) => {
  const file = join(t.testdir(), 'countries.mmdb')
  writeFileSync(
    file,
    writeMmdb({
      '192.0.2.0/24': { country: { iso_code: 'CH' }, location: { latitude: 47, longitude: 8 } },
      '2001:db8::/32': { country: { iso_code: 'DE' }, location: { latitude: 52, longitude: 13 } },
    }),
  )
  const service = new NameService({
    places: { databases: [file], overrides: undefined },
    readRules: async () => [],
    log: silentLog,
    runtime: systemRuntime,
    answers: 1,
    authorities: [],
    rateLimit: 0,
    cookieSecret: '00'.repeat(16),
    nsid: undefined,
    version: undefined,
  })
  t.teardown(() => service.close())
  t.equal(service.countryOf('192.0.2.7'), undefined, 'before anything is read')
  await service.loadPlaces()
  for (const [address, country] of [
    ['192.0.2.7', 'CH'],
    ['::ffff:192.0.2.7', 'CH'],
    ['2001:db8::1', 'DE'],
    ['127.0.0.1', undefined],
    ['fe80::1%eth0', undefined],
    ['', undefined],
    ['not an address', undefined],
  ] as const)
    t.equal(service.countryOf(address), country, address)
})
