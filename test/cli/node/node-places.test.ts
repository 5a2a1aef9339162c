import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkDaemonConfig } from '../../../cli/config/index.ts'
import { parseToml } from '../../../cli/config/toml.ts'
import { listDatabases, mirroredDatabase } from '../../../cli/node/geo-databases.ts'
import { NodePlaces } from '../../../cli/node/node-places.ts'
import { FakeRuntime, recordLog } from '../../replication/fake-runtime.ts'
import { eventually } from '../../support/eventually.ts'
import { writeMmdb } from '../../support/mmdb.ts'
import { ManualTimer } from './manual-timer.ts'

const folder = t.testdir()

const configOf = (dns: string) =>
  checkDaemonConfig(
    parseToml(`[node]\nname = "a"\ndata_dir = ${JSON.stringify(folder)}\n[dns]\n${dns}`, 'makiatto.toml'),
  )

async function start(dns: string, runtime = new FakeRuntime(1)) {
  const log = recordLog()
  let reloads = 0
  const edge = { reloadPlaces: () => void reloads++ }
  const places = await NodePlaces.start({ config: configOf(dns), edge, runtime, log })
  return { places, log, reloads: () => reloads }
}

const database = (type: string) => writeMmdb({ '1.0.0.0/8': { country_code: 'NL' } }, { type })

t.test('a node does not start on rules with faults, and says them', async (t) => {
  const file = join(folder, 'places.toml')
  writeFileSync(file, '[[network]]\ncidr = "nowhere"\ncountry = "DE"\n')
  await t.rejects(start(`geo_override = ${JSON.stringify(file)}`), {
    code: 'MAKI_CONFIG',
    message: /places\.toml:2:8: /,
  })
  writeFileSync(file, '[[network]]\ncidr = "203.0.113.0/24"\ncountry = "DE"\n')
  const { places } = await start(`geo_override = ${JSON.stringify(file)}`)
  await places[Symbol.asyncDispose]()
})

t.test('the named database comes first, then the mirrored, then the one that comes along', async (t) => {
  const named = join(folder, 'named.mmdb')
  const mirror = 'geo_mirror = "http://127.0.0.1:1/x.mmdb"'
  const typeFor = async (dns: string) => {
    const { places, log } = await start(dns)
    await places[Symbol.asyncDispose]()
    const failed = log.events.filter(([event]) => event === 'geo.database-failed').length
    t.equal(places.status.faults?.length ?? 0, failed)
    return [places.status.type, failed]
  }
  const [bundled = ''] = listDatabases(configOf(''))
  t.match(bundled, /dbip-country\.mmdb$/)
  t.strictSame(listDatabases(configOf(`${mirror}\ngeolite_path = "/x"`)), ['/x', mirroredDatabase(folder), bundled])
  t.strictSame(await typeFor(''), ['country ipvAll', 0])
  t.strictSame(await typeFor(mirror), ['country ipvAll', 0], 'nothing was fetched yet')
  mkdirSync(join(folder, 'geo'))
  writeFileSync(mirroredDatabase(folder), database('Mirrored'))
  t.strictSame(await typeFor(mirror), ['Mirrored', 0])
  t.strictSame(await typeFor(''), ['country ipvAll', 0], 'of a mirror that is no longer configured')
  const both = `${mirror}\ngeolite_path = ${JSON.stringify(named)}`
  t.strictSame(await typeFor(both), ['Mirrored', 1], 'one that is not there is told of')
  writeFileSync(named, database('Named'))
  t.strictSame(await typeFor(both), ['Named', 0])
})

t.test('a file that its owner replaces is taken, one with faults is not', async (t) => {
  const file = join(t.testdir(), 'named.mmdb')
  writeFileSync(file, database('Old'))
  const timer = new ManualTimer()
  const runtime = Object.assign(new FakeRuntime(1), { after: timer.after })
  const { places, log, reloads } = await start(`geolite_path = ${JSON.stringify(file)}`, runtime)
  const replaced = async (bytes: Buffer | string): Promise<number> => {
    writeFileSync(file, bytes)
    await timer.fire()
    await timer.fire()
    return reloads()
  }
  t.equal(await replaced(database('New and longer')), 1)
  await eventually('the new one', () => places.status?.type === 'New and longer' || undefined)
  t.equal(await replaced('no database'), 2)
  await eventually('the fault', () => log.events.find(([event]) => event === 'geo.database-failed'))
  t.equal(places.status?.type, 'New and longer')
  await eventually('the fault in the status', () => places.status.faults)
  t.match(places.status.faults, [/named\.mmdb cannot be used as a database of places/])
  t.equal(await replaced(database('Mended')), 3)
  await eventually('the mended one', () => places.status.type === 'Mended' || undefined)
  await eventually('no fault any more', () => places.status.faults === undefined || undefined)
  await places[Symbol.asyncDispose]()
  t.equal(timer.waiting, 0)
})

t.test('what has begun to look ends before the end, and nothing looks after it', async (t) => {
  const file = join(t.testdir(), 'named.mmdb')
  writeFileSync(file, database('Old'))
  const timers = new Set<() => void>()
  const after = (_delayMs: number, call: () => void) => {
    timers.add(call)
    return () => void timers.delete(call)
  }
  const fire = () => {
    const due = [...timers]
    timers.clear()
    for (const call of due) call()
  }
  const ended = Promise.withResolvers<string | undefined>()
  const edge = {
    // Just before it looks by itself.
    reloadPlaces: () => void places[Symbol.asyncDispose]().then(() => ended.resolve(places.status.type)),
  }
  const config = configOf(`geolite_path = ${JSON.stringify(file)}`)
  const runtime = Object.assign(new FakeRuntime(1), { after })
  const places = await NodePlaces.start({ config, edge, runtime, log: recordLog() })
  writeFileSync(file, database('New and longer'))
  fire()
  await eventually('the next timer', () => timers.size > 0 || undefined)
  fire()
  t.equal(await ended.promise, 'New and longer')
  t.equal(timers.size, 0)
})

t.test('rules that get a fault while the node runs are told of until they are mended', async (t) => {
  const file = join(t.testdir(), 'places.toml')
  const rules = (country: string) => `[[network]]\ncidr = "203.0.113.0/24"\ncountry = "${country}"\n`
  writeFileSync(file, rules('DE'))
  const timer = new ManualTimer()
  const runtime = Object.assign(new FakeRuntime(1), { after: timer.after })
  const { places } = await start(`geo_override = ${JSON.stringify(file)}`, runtime)
  t.notOk(places.status.faults)
  const replace = async (text: string): Promise<void> => {
    writeFileSync(file, text)
    await timer.fire()
    await timer.fire()
  }
  await replace(`${rules('XX')}\n`)
  t.match(await eventually('the fault', () => places.status.faults), [/places\.toml:3:11: .*a country is expected/])
  await replace(`${rules('NL')}\n\n`)
  await eventually('no fault any more', () => places.status.faults === undefined || undefined)
  await replace('x'.repeat(100_000))
  t.ok((await eventually('the next', () => places.status.faults))?.every((fault) => fault.length <= 1_000))
  await places[Symbol.asyncDispose]()
})

t.test('a mirror has http or https', async (t) => {
  t.throws(() => configOf('geo_mirror = "file:///etc/passwd"'), {
    code: 'MAKI_CONFIG',
    message: /http:\/\/ or https:\/\//,
  })
})
