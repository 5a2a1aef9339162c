import { execFile } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const maki = join(root, 'cli', 'bin', 'maki')
const run = promisify(execFile)
const DNS_OFFSET = 50
/** Real clusters on a machine that does other things too. */
t.setTimeout(300_000)
/** For three nodes, of whose numbers one is the greatest that this file uses. */
const base = await findFreePorts([0, 1, 2, 50, 51, 52, 200, 201, 202, 300, 301, 302])
const folder = t.testdir()
cpSync(join(root, 'examples', 'site'), join(folder, 'project'), { recursive: true })

interface Ready {
  readonly profile: string
  readonly nodes: readonly {
    readonly name: string
    readonly http: string
    readonly dns: string
    readonly control: string
  }[]
}

function startDev(...args: string[]): Child {
  const ports = ['--http-port', String(base), '--dns-port', String(base + DNS_OFFSET)]
  return new Child(maki, ['dev', 'project', '--json', ...ports, ...args], { cwd: folder })
}

const says = (event: string) => (line: string) => line.startsWith(`{"event":"${event}"`)
const waitReady = async (dev: Child): Promise<Ready> => JSON.parse(await dev.waitForLine(says('ready'))) as Ready

interface Answer {
  readonly status: number
  readonly node: string
  readonly body: string
}

function get(url: string, path: string, host = 'maki.localhost'): Promise<Answer> {
  return new Promise((done, fail) => {
    const outgoing = request(new URL(path, url), { headers: { host }, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () =>
        done({ status: response.statusCode ?? 0, node: String(response.headers['makiatto-node']), body }),
      )
    })
    outgoing.on('error', fail).end()
  })
}

async function dig(dns: string, ...question: string[]): Promise<string> {
  const [address = '', port = ''] = dns.split(':')
  const { stdout } = await run('dig', [`@${address}`, '-p', port, '+short', '+tries=3', ...question])
  return stdout.trim()
}

t.test('a cluster on this computer, from nothing to an edited page', async (t) => {
  await using dev = startDev()
  const { nodes, profile } = await waitReady(dev)
  t.strictSame(
    nodes.map(({ name, http, dns }) => [name, http, dns]),
    [0, 1, 2].map((i) => [`node${i + 1}`, `http://127.0.0.1:${base + i}`, `127.0.0.1:${base + DNS_OFFSET + i}`]),
  )
  for (const { name, http, dns } of nodes) {
    t.match(await get(http, '/'), { status: 200, node: name, body: /A network of your own/ }, name)
    t.match(await get(http, '/nowhere'), { status: 404, body: /This cup is empty/ })
    t.equal(await dig(dns, 'maki.localhost', 'MX'), '10 mail.maki.localhost.')
    t.match(await dig(dns, 'www.maki.localhost', 'A', '+tcp'), '127.0.0.1')
  }

  const from = dev.lines.length
  writeFileSync(join(folder, 'project', 'public', 'new page.html'), '<p>hello</p>')
  const synced = await dev.waitForLine((line) => says('synced')(line) && line.includes('maki.localhost'), from)
  t.match(JSON.parse(synced), { published: [{ domain: 'maki.localhost', isRelease: true }] })
  for (const { http } of nodes)
    t.match(await get(http, '/new%20page'), { status: 200, body: /hello/ }, 'the edit is live')

  const env = { ...process.env, MAKIATTO_PROFILE: profile }
  const { stdout } = await run(maki, ['status', '--json'], { env })
  const status = JSON.parse(stdout) as { nodes: { up: boolean; digest: string }[] }
  t.equal(status.nodes.filter(({ up }) => up).length, 3)

  dev.kill('SIGINT')
  t.strictSame(await dev.ended, { code: 130, signal: null })
  t.match(dev.lines.at(-1), '{"event":"stopped"}')
  await t.rejects(get(nodes[0]?.http ?? '', '/'), { code: 'ECONNREFUSED' })
})

t.test('faults of the project are told and survived; a second maki dev is told who runs', async (t) => {
  await using dev = startDev()
  const { nodes } = await waitReady(dev)
  const file = join(folder, 'project', 'makiatto.toml')
  const sound = readFileSync(file, 'utf8')
  writeFileSync(file, `${sound}\n[[domain.records]]\ntype = "A"\nvalue = "not an address"\n`)
  t.match(await dev.waitForLine(says('sync-failed')), /not an address/)
  t.match(await get(nodes[2]?.http ?? '', '/'), { status: 200 }, 'what was published before is served')
  const from = dev.lines.length
  const hidden = [
    'type = "NS"\nname = "lab"\nvalue = "ns1.example.net"',
    'type = "A"\nname = "x.lab"\nvalue = "192.0.2.1"',
  ]
  writeFileSync(file, `${sound}\n${hidden.map((record) => `[[domain.records]]\n${record}\n`).join('\n')}`)
  t.match(await dev.waitForLine(says('warned'), from), /x\.lab\.maki\.localhost/, 'what will not be answered is said')
  await dev.waitForLine(says('synced'), from)
  const then = dev.lines.length
  writeFileSync(file, sound)
  await dev.waitForLine(says('synced'), then)

  await using second = startDev()
  t.match(await second.ended, { code: 4 })
  t.match(second.output, new RegExp(`MAKI_LOCKED[\\s\\S]*process ${dev.pid}`))
  await using third = startDev('--data', 'elsewhere')
  t.match(await third.ended, { code: 4 })
  t.match(third.output, new RegExp(`MAKI_PORT_IN_USE[\\s\\S]*holds ${base} \\(HTTP of node1`))
  dev.kill('SIGTERM')
  t.strictSame(await dev.ended, { code: 143, signal: null })
})

t.test('a node that is killed comes back with what it missed', async (t) => {
  await using dev = startDev()
  const { nodes } = await waitReady(dev)
  const [first, victim] = nodes
  if (first === undefined || victim === undefined) throw new Error('nodes are missing')
  process.kill(await findNodePid(victim.name), 'SIGKILL')
  t.match(JSON.parse(await dev.waitForLine(says('node-died'))), { node: victim.name, how: 'SIGKILL' })
  const from = dev.lines.length
  writeFileSync(join(folder, 'project', 'public', 'missed.html'), '<p>missed</p>')
  await dev.waitForLine(says('synced'), from)
  await dev.waitForLine(says('node-recovered'), from)
  t.match(await get(first.http, '/missed'), { status: 200 })
  // It is up before it has caught up: asked until it has, and the file's time limit says when it never does.
  let answer = await get(victim.http, '/missed')
  while (answer.status !== 200) answer = await get(victim.http, '/missed')
  t.match(answer.body, /missed/)
  dev.kill('SIGINT')
  await dev.ended
})

t.test('killed -9, it leaves no node behind, and starts again with its data', async (t) => {
  let pids: number[] = []
  {
    await using dev = startDev()
    await waitReady(dev)
    pids = await Promise.all(['node1', 'node2', 'node3'].map(findNodePid))
    dev.kill('SIGKILL')
    await dev.ended
  }
  // Node processes are no children of this test, so their end is no event here.
  for (const pid of pids) await eventually(`the end of node process ${pid}`, () => hasEnded(pid) || undefined)
  t.pass('all nodes have ended')
  await using dev = startDev('--nodes', '2')
  const { nodes } = await waitReady(dev)
  t.strictSame(
    nodes.map(({ name }) => name),
    ['node1', 'node2'],
    'a smaller number starts the first ones',
  )
  t.match(await get(nodes[1]?.http ?? '', '/missed'), { status: 200 })
  dev.kill('SIGINT')
  await dev.ended
})

t.test('--fresh starts over and loses nothing', async (t) => {
  const recovery = readFileSync(join(folder, '.makiatto', 'recovery.key'), 'utf8')
  await using dev = startDev('--nodes', '1', '--fresh')
  await waitReady(dev)
  const kept = readdirSync(folder).find((name) => name.startsWith('.makiatto.old-'))
  t.equal(readFileSync(join(folder, kept ?? '', 'recovery.key'), 'utf8'), recovery)
  t.not(readFileSync(join(folder, '.makiatto', 'recovery.key'), 'utf8'), recovery)
  dev.kill('SIGINT')
  await dev.ended
})

/** From the node's own log: the process that said last that it is ready. */
async function findNodePid(name: string): Promise<number> {
  const log = readFileSync(join(folder, '.makiatto', name, 'node.log'), 'utf8')
  const line = log.split('\n').findLast((text) => text.includes('"event":"node.ready"'))
  return (JSON.parse(line ?? '{}') as { pid: number }).pid
}

/** A zombie has ended; only nobody has asked how. */
function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return false
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return true
  }
}
