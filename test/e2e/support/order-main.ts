/**
 * Orders a certificate by the adapter that nodes use, for a test that shows by hand what is asked for:
 * `order-main.ts DIRECTORY CA FOLDER WAY:NAME…` with the ways `dns-01` and `http-01`. Says what is asked for as one line of JSON;
 * once FOLDER/shown is there, has it looked at, and leaves chain.pem and key.pem in FOLDER.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemRuntime } from '../../../cli/system.ts'
import { type CertificateName, type ChallengeWay, type Hostname, silentLog } from '../../../core/index.ts'
import { openAuthority } from '../../../edge/acme/index.ts'
import { eventually } from '../../support/eventually.ts'

const [directory = '', ca = '', folder = '', ...wanted] = process.argv.slice(2)
const pairs = wanted.map((pair) => pair.split(':') as [ChallengeWay, CertificateName])
// What waits for an answer of the authority keeps no program going.
const going = setInterval(() => {}, 60_000)
const { signal } = new AbortController()
const authority = openAuthority({
  directory,
  runtime: systemRuntime,
  log: silentLog,
  version: 'test',
  ca: readFileSync(ca, 'utf8'),
})
const account = await authority.register({ email: 'owner@shop.example' }, signal)
const order = await authority.order(
  account,
  {
    names: pairs.map(([, name]) => name).sort(),
    ways: new Map(pairs.map(([way, name]) => [name.replace(/^\*\./, '') as Hostname, way])),
  },
  signal,
)
console.log(JSON.stringify(order.challenges))
await eventually('all to be shown', () => (existsSync(join(folder, 'shown')) ? true : undefined))
await order.validate(signal)
const issued = await order.finish(signal)
writeFileSync(join(folder, 'chain.pem'), issued.chain)
writeFileSync(join(folder, 'key.pem'), issued.key, { mode: 0o600 })
console.log('done')
clearInterval(going)
