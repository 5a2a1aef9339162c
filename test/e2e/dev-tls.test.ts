import { execFile } from 'node:child_process'
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'

/** `maki dev --tls` as a developer uses it, with curl as the browser. */

t.setTimeout(0)
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const run = promisify(execFile)
const base = await findFreePorts([0, 1, 50, 51, 100, 101, 200, 201, 300, 301])
const folder = t.testdir()
cpSync(join(root, 'examples', 'site'), join(folder, 'project'), { recursive: true })
const authority = join(folder, '.makiatto', 'ca.pem')

interface Ready {
  readonly nodes: readonly { readonly http: string; readonly https?: string }[]
  readonly ca?: string
}

function startDev(...args: string[]): Child {
  const ports = ['--http-port', String(base), '--dns-port', String(base + 50)]
  return new Child(join(root, 'cli', 'bin', 'maki'), ['dev', 'project', '--json', '--nodes', '2', ...ports, ...args], {
    cwd: folder,
  })
}
const says = (event: string) => (line: string) => line.startsWith(`{"event":"${event}"`)
const waitReady = async (dev: Child): Promise<Ready> => JSON.parse(await dev.waitForLine(says('ready'))) as Ready

/** What curl gets that trusts the authority alone; status, version and head. */
async function visit(host: string, port: number, path = '/', ca = authority): Promise<string> {
  const where = ['--resolve', `${host}:${port}:127.0.0.1`]
  const { stdout } = await run('curl', ['-sS', '-i', '--cacert', ca, ...where, `https://${host}:${port}${path}`])
  return stdout
}
const secured = (host: string, port: number) =>
  eventually(`${host} at ${port}`, async () => (await visit(host, port)).startsWith('HTTP/2 200'))

t.test('HTTPS on both nodes, by an authority that nobody else has', async (t) => {
  await using dev = startDev('--tls')
  const ready = await waitReady(dev)
  t.equal(ready.ca, authority)
  t.strictSame(
    ready.nodes.map(({ https }) => https),
    [`https://127.0.0.1:${base + 100}`, `https://127.0.0.1:${base + 101}`],
  )
  for (const port of [base + 100, base + 101]) {
    for (const host of ['maki.localhost', 'www.maki.localhost']) await secured(host, port)
    const answer = await visit('maki.localhost', port)
    t.notMatch(answer, /strict-transport-security/i, 'no browser is told to come by it alone')
  }
  await t.rejects(visit('other.localhost', base + 100), /alert|SSL/i, 'no certificate for others')
  const { stdout } = await run('curl', ['-sI', '-H', 'Host: maki.localhost', `http://127.0.0.1:${base}/`])
  t.match(stdout, /^HTTP\/1.1 200/, 'HTTP stays')

  const before = readFileSync(authority, 'utf8')
  appendFileSync(join(folder, 'project', 'public', 'index.html'), '<!-- edited -->')
  await dev.waitForLine(says('synced'), dev.lines.length)
  t.equal(readFileSync(authority, 'utf8'), before, 'an edit makes no new one')

  const config = join(folder, 'project', 'makiatto.toml')
  const from = dev.lines.length
  writeFileSync(config, readFileSync(config, 'utf8').replace('aliases = [', 'aliases = ["shop.example.com", '))
  t.match(await dev.waitForLine((line) => line.includes('New certificates for this computer'), from), '"note"')
  t.not(readFileSync(authority, 'utf8'), before, 'a new name does')
  for (const host of ['shop.example.com', 'shop.example.com.localhost']) await secured(host, base + 100)
})

t.test(
  'the next start has the same authority; one that is damaged is made anew; without --tls there is no HTTPS',
  async (t) => {
    const before = readFileSync(authority, 'utf8')
    {
      await using dev = startDev('--tls')
      await waitReady(dev)
      await secured('shop.example.com', base + 101)
      t.equal(readFileSync(authority, 'utf8'), before)
      dev.kill('SIGINT')
      await dev.ended
    }
    writeFileSync(authority, 'no certificate')
    {
      await using dev = startDev('--tls')
      await waitReady(dev)
      t.match(readFileSync(authority, 'utf8'), /^-----BEGIN CERTIFICATE-----/)
      await secured('maki.localhost', base + 100)
      dev.kill('SIGINT')
      await dev.ended
    }
    await using dev = startDev()
    const ready = await waitReady(dev)
    t.notOk('ca' in ready || ready.nodes.some((node) => 'https' in node))
    await t.rejects(visit('maki.localhost', base + 100), /connect/i)
    dev.kill('SIGINT')
    await dev.ended
  },
)

t.test('no private key of a certificate is on the disk', async (t) => {
  const found = await run('grep', ['-rlaE', 'BEGIN (EC )?PRIVATE KEY', join(folder, '.makiatto')]).catch(
    (error) => error,
  )
  t.equal(found.stdout, '')
})
