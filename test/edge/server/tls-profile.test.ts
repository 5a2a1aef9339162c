import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { HostCertificate } from '../../../edge/index.ts'
import { CertificateMaker, type MadeCertificate } from '../../support/certificate-maker.ts'
import { startSite } from './support/https-site.ts'

/** What others say of our TLS: testssl.sh of its profile, h2load while certificates are swapped under it. */

t.setTimeout(0)
const run = promisify(execFile)
const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const folder = mkdtempSync(join(tmpdir(), 'maki-tls-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const HOST = 'example.com'
const FOREVER = { notBeforeMs: 0, notAfterMs: 8_000_000_000_000 }
const asHost = (name: string, made: MadeCertificate): HostCertificate => ({ ...made, name, ...FOREVER })

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

/** What testssl.sh could not find out: of its own openssl, and what is asked below in its place. */
const NOT_ASKED: ReadonlySet<string> = new Set(['engine_problem', 'secure_renego'])
const HARMLESS: ReadonlySet<string> = new Set(['OK', 'INFO', 'LOW'])
/** What is said of protocols, ciphers, curves, and of the weaknesses that have names; certificates are the authority's. */
const CHECKS = ['-p', '-s', '-f', '-U']

for (const keyType of ['ec', 'rsa'] as const) {
  t.test(`testssl.sh finds nothing above "low" (${keyType})`, async (t) => {
    const { port, certificates } = await startSite(t)
    certificates.replace([asHost('a', maker.make([HOST], keyType))])
    const file = join(folder, `${keyType}.json`)
    // It ends with the number of its complaints, and what it says stands in the file.
    const args = ['--quiet', '--color', '0', '--warnings', 'off', '--ip', '127.0.0.1', '--jsonfile', file, ...CHECKS]
    await run('testssl', [...args, `${HOST}:${port}`], { cwd: folder, maxBuffer: 10_000_000 }).catch(() => {})
    const findings = JSON.parse(readFileSync(file, 'utf8')) as Finding[]
    const said = new Map(findings.map((one) => [one.id, one]))
    t.match(said.get('TLS1_3'), { severity: 'OK' })
    t.match(said.get('TLS1_2'), { severity: 'OK' })
    t.match(said.get('TLS1'), { severity: 'INFO', finding: 'not offered' })
    t.match(said.get('heartbleed'), { severity: 'OK' })
    t.match(said.get('ticketbleed'), { severity: 'OK' })
    t.same(
      findings.filter(({ id, severity }) => !HARMLESS.has(severity) && !(severity === 'WARN' && NOT_ASKED.has(id))),
      [],
    )
    const asking = run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, '-tls1_2'])
    asking.child.stdin?.end()
    t.match((await asking).stdout, 'Secure Renegotiation IS supported')
    t.comment(`${findings.length} findings`)
  })
}

t.test('a name server has a certificate of its own where there is one, and is no site', async (t) => {
  const { port, certificates } = await startSite(t)
  const name = 'tokyo.ns.example.com'
  certificates.replace([asHost('a', maker.make([HOST, `*.${HOST}`])), asHost('b', maker.make([name]))])
  const curl = async (host: string) => {
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', maker.caFile]
    const asked = run('curl', [...args, '--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`])
    return (await asked.catch(({ stdout }: { stdout: string }) => ({ stdout }))).stdout
  }
  t.equal(await curl(name), '404')
  t.equal(await curl('berlin.ns.example.com'), '000', 'a wildcard stands for one label')
  t.equal(await curl(HOST), '200')
})

const SWAPS = 100
const REQUESTS = 20_000

t.test('certificates are swapped a hundred times under h2load, and no request fails', async (t) => {
  const { server, port, certificates } = await startSite(t)
  const made = [asHost('a', maker.make([HOST])), asHost('a', maker.make([HOST], 'rsa'))] as const
  certificates.replace([made[0]])
  let swaps = 0
  let answered = 0
  const ended = new AbortController()
  const load = (async () => {
    const said: string[] = []
    // Each round has new connections, which shake hands with what is shown then.
    while (swaps < SWAPS) {
      const flags = ['-n', String(REQUESTS / 20), '-c', '5', '-m', '10', '-t', '1', '--connect-to', `127.0.0.1:${port}`]
      const { stdout } = await run('h2load', [...flags, `https://${HOST}:${port}/`])
      said.push(/^requests: .*/m.exec(stdout)?.[0] ?? stdout)
      answered += Number(/(\d+) succeeded/.exec(stdout)?.[1] ?? 0)
    }
    ended.abort()
    return said
  })()
  while (!ended.signal.aborted) {
    const before = server.counters.requests
    swaps++
    certificates.replace([made[swaps % 2] as HostCertificate])
    // Something was asked between any two.
    while (!ended.signal.aborted && server.counters.requests === before)
      await new Promise((resolve) => setImmediate(resolve))
  }
  const said = await load
  for (const line of said) t.match(line, / 0 failed, 0 errored, 0 timeout/)
  t.ok(swaps >= SWAPS && answered > SWAPS)
  t.comment(`${swaps} swaps, ${answered} answers in ${said.length} rounds`)
})
