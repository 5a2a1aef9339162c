import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { encodeRdata, formatRdata, parseRdata, type Rdata } from '../../../dns/rdata/index.ts'
import {
  CLASS_IN,
  encodeWireName,
  findWireName,
  formatType,
  type RecordType,
  typeCode,
} from '../../../dns/wire/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { RANDOM_TYPES, randomRdata } from './random-rdata.ts'

/** Data of records in the hands of BIND, Knot and dig: the same text is the same octets, and back. */

const run = promisify(execFile)

const APEX = 'example.com'
/** One record a name, so that nothing is a duplicate and a CNAME stands alone. */
interface Sample {
  readonly name: string
  readonly rdata: Rdata
}

/** Types of which the peers see octets only where we do; the zone's own SOA is another. */
const PEER_TYPES = RANDOM_TYPES.filter((type) => type !== 'SOA' && type !== 'TYPE35')

const listSamples = (random: Random, count: number): Sample[] =>
  Array.from({ length: count }, (_, i) => {
    const type = PEER_TYPES[i % PEER_TYPES.length] as RecordType
    return { name: `r${i}.${APEX}`, rdata: randomRdata(random, type) }
  })

const SOA = `ns.${APEX}. admin.${APEX}. 1 86400 10800 3600000 3600`

const writeMaster = (samples: readonly Sample[]): string =>
  [
    `${APEX}. 300 IN SOA ${SOA}`,
    `${APEX}. 300 IN NS ns.example.net.`,
    // A DS stands beside a delegation.
    ...samples.filter(({ rdata }) => rdata.type === 'DS').map(({ name }) => `${name}. 300 IN NS ns.example.net.`),
    ...samples.map(({ name, rdata }) => `${name}. 300 IN ${rdata.type} ${formatRdata(rdata)}`),
    '',
  ].join('\n')

for (const seed of seeds(8)) {
  t.test(`BIND and Knot load what we format, and BIND makes the same octets of it (seed ${seed})`, async (t) => {
    const samples = listSamples(createRandom(seed), 420)
    const folder = t.testdir({})
    const [zone, raw] = [join(folder, 'zone'), join(folder, 'raw')]
    const master = writeMaster(samples)
    // Knot 3.2 knows dohpath by its number only.
    await writeFile(zone, master.replaceAll('dohpath', 'key7'))
    await run('kzonecheck', ['-o', `${APEX}.`, zone])
    await writeFile(zone, master)
    const lenient = ['-k', 'ignore', '-m', 'ignore', '-M', 'ignore', '-S', 'ignore', '-n', 'ignore', '-r', 'ignore']
    await run('named-compilezone', [...lenient, '-i', 'none', '-F', 'raw', '-o', raw, APEX, zone])
    const found = readRaw(await readFile(raw))
    for (const { name, rdata } of samples) {
      const theirs = found.get(`${name} ${typeCode(rdata.type)}`)
      const ours = Buffer.from(encodeRdata(rdata)).toString('hex')
      if (theirs !== ours) t.equal(theirs, ours, `${name} ${rdata.type} ${formatRdata(rdata)}`)
    }
    t.equal(found.get(`${APEX} 6`), Buffer.from(encodeRdata(parseRdata('SOA', SOA))).toString('hex'))
  })
}

/** BIND's raw zone format, version 1: a header, then each set with its owner and data on the wire. */
function readRaw(bytes: Buffer): Map<string, string> {
  const found = new Map<string, string>()
  for (let offset = 24; offset < bytes.length; ) {
    const end = offset + bytes.readUInt32BE(offset)
    const type = bytes.readUInt16BE(offset + 6)
    const count = bytes.readUInt32BE(offset + 14)
    const owner = findWireName(bytes, offset + 20)
    if (owner === undefined || count !== 1) throw new Error(`${count} records at ${offset}`)
    const length = bytes.readUInt16BE(owner.end)
    found.set(`${owner.key} ${type}`, bytes.subarray(owner.end + 2, owner.end + 2 + length).toString('hex'))
    offset = end
  }
  return found
}

for (const tool of ['kdig', 'dig'] as const) {
  t.test(`${tool} prints what we encode so that we read the same (seed 1)`, async (t) => {
    // kdig quotes one item of a list (alpn="e f",h2), which no grammar has.
    const samples = listSamples(createRandom(1), 300).filter(({ rdata }) => {
      const text = formatRdata(rdata)
      // And dig escapes fewer octets in names than we want people to write; BIND above reads them all.
      return !text.includes('e f') && (rdata.type === 'TXT' || rdata.type === 'CAA' || !text.includes('\\'))
    })
    await using server = await answerWith(samples)
    const questions = samples.flatMap(({ name, rdata }) => [`${name}.`, rdata.type])
    const options = tool === 'dig' ? ['+nocookie'] : []
    const { stdout } = await run(
      tool,
      [`@127.0.0.1`, '-p', String(server.port), '+noall', '+answer', '+time=20', ...options, ...questions],
      { maxBuffer: 1 << 24 },
    )
    const printed = new Map<string, string>()
    for (const line of stdout.split('\n')) {
      const match = /^(\S+)\.\s+300\s+IN\s+(\S+)\s+(.*)$/.exec(line)
      if (match !== null) printed.set(`${match[1]} ${match[2]}`, match[3] as string)
    }
    for (const { name, rdata } of samples) {
      const { type } = rdata
      const text = printed.get(`${name} ${type}`)
      const again = text === undefined ? undefined : formatRdata(parseRdata(type, text))
      if (again !== formatRdata(rdata)) t.equal(again, formatRdata(rdata), `${name} ${type}: ${text}`)
    }
    t.equal(printed.size, samples.length)
  })
}

/** Answers every question about a sample with its record. */
async function answerWith(samples: readonly Sample[]): Promise<AsyncDisposable & { readonly port: number }> {
  const byName = new Map(samples.map(({ name, rdata }) => [`${name} ${rdata.type}`, rdata]))
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const name = findWireName(query, 12)
    const type = name === undefined ? 0 : query.readUInt16BE(name.end)
    const rdata = byName.get(`${name?.key} ${formatType(type)}`)
    if (name === undefined || rdata === undefined) return
    const wire = encodeRdata(rdata)
    const header = Buffer.alloc(12)
    header.writeUInt16BE(query.readUInt16BE(0), 0)
    header.writeUInt16BE(0x8400, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(1, 6)
    const fixed = Buffer.alloc(10)
    fixed.writeUInt16BE(type, 0)
    fixed.writeUInt16BE(CLASS_IN, 2)
    fixed.writeUInt32BE(300, 4)
    fixed.writeUInt16BE(wire.length, 8)
    const question = query.subarray(12, name.end + 4)
    socket.send(Buffer.concat([header, question, encodeWireName(name.key), fixed, wire]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}
