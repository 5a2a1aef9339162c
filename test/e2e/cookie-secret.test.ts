import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ServerCookies } from '../../dns/message/index.ts'
import { rawQuery, readMessage } from '../dns/wire-message.ts'
import { eventually } from '../support/eventually.ts'
import { DaemonCluster } from './support/daemons.ts'
import { Scene } from './support/scene.ts'

/**
 * Who knows what a node makes its DNS cookies with can make them for any address, and is limited no more. Nothing that
 * other programs of the machine, a log or a command can read makes the cookies that a real node gives.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const COOKIE = 10
const CLIENT = Buffer.from('0123456789abcdef', 'hex')

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const [node] = cluster.daemons
if (node === undefined) throw new Error('the cluster has no node')

/** The server's half of a cookie for 127.0.0.1, as the node gives it. */
async function askCookie(): Promise<Buffer> {
  return await eventually('a cookie', async () => {
    const socket = createSocket('udp4')
    try {
      socket.connect(scene.dnsPort, '127.0.0.1')
      await once(socket, 'connect')
      socket.send(rawQuery({ edns: { options: [[COOKIE, CLIENT]] } }))
      const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(1000) })) as [Buffer]
      const option = readMessage(bytes).opt?.options.find(([code]) => code === COOKIE)
      return option && Buffer.from(option[1]).subarray(CLIENT.length)
    } finally {
      socket.close()
    }
  })
}

/** Every 16 octets that a text holds, in hexadecimal, in base64 or as they are in hexadecimal with separators. */
function listSecrets(text: string): Set<string> {
  const found = new Set<string>()
  for (const [run] of text.matchAll(/[0-9a-f]{32,}/gi)) {
    for (let at = 0; at + 32 <= run.length; at++) found.add(run.slice(at, at + 32).toLowerCase())
  }
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{22}(?![A-Za-z0-9+/_-])/g)) {
    const octets = Buffer.from(run, 'base64')
    if (octets.length === 16) found.add(octets.toString('hex'))
  }
  return found
}

const makes = (secret: string, server: Buffer): boolean =>
  new ServerCookies(secret).judge({ client: CLIENT, server }, '127.0.0.1', server.readUInt32BE(4))?.standing === 'valid'

function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}

t.test('the secret is found by who has it', async (t) => {
  const secret = 'e5e973e5a6b2a43f48e7dc849e37bfcf'
  const option = new ServerCookies(secret).judge({ client: CLIENT, server: undefined }, '127.0.0.1', 1)?.option
  const server = Buffer.from(option ?? []).subarray(CLIENT.length)
  for (const text of [`x=${secret}0`, `--secret ${Buffer.from(secret, 'hex').toString('base64')}`])
    t.ok([...listSecrets(text)].some((found) => makes(found, server)))
})

t.test('nothing that others can read makes the cookies of a node', async (t) => {
  node.configure((text) => text.replace('workers = 0', 'workers = 1'))
  await node.start()
  const server = await askCookie()
  const pids = readdirSync('/proc').filter(
    (name) => /^[0-9]+$/.test(name) && readProcess(name, 'environ').includes(scene.folder),
  )
  const workers = pids.filter((pid) => readProcess(pid, 'cmdline').includes('worker-main'))
  t.ok(workers.length > 0, `${workers.length} workers`)
  const explained = await scene.maki(['dns', 'explain', 'www.example.com', '--json', '--profile', cluster.profile])
  const places = {
    arguments: pids.map((pid) => readProcess(pid, 'cmdline')).join('\n'),
    environment: pids.map((pid) => readProcess(pid, 'environ')).join('\n'),
    configuration: readFileSync(node.layout.config, 'utf8'),
    status: JSON.stringify(await node.client.status()),
    explanation: explained.stdout + explained.stderr,
    log: node.output,
  }
  for (const [place, text] of Object.entries(places)) {
    t.ok(text.length > 0, `there is something to read: ${place}`)
    const found = [...listSecrets(text)].some((secret) => makes(secret, server))
    t.notOk(found, `in: ${place}`)
  }
})
