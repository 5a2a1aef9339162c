import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BootedHost } from './booted-hosts.ts'
import type { Internet } from './internet.ts'

/** A visitor in the internet of a test who trusts what a certificate authority there signs, and nobody else. */
export class TlsVisitor {
  readonly #internet: Internet
  readonly #roots: string
  readonly #session: string

  /** `roots`: of the authorities, PEM; kept in the folder. */
  constructor(internet: Internet, folder: string, name: string, roots: string) {
    this.#internet = internet
    this.#roots = join(folder, `${name}-roots.pem`)
    this.#session = join(folder, `${name}-session.pem`)
    writeFileSync(this.#roots, roots)
  }

  /** The end entity's certificate that a server shows for a name, by openssl; rejects unless chain, dates and name hold. */
  async handshake(server: BootedHost, name: string): Promise<X509Certificate> {
    const said = await this.#talk(server, name, ['-showcerts'])
    const [pem] = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(said) ?? []
    if (pem === undefined || !said.includes('Verify return code: 0 (ok)')) throw new Error(said)
    return new X509Certificate(pem)
  }

  /** Keeps the session that a server gives a ticket for, in TLS 1.2, where it comes with the handshake. */
  async keepSession(server: BootedHost, name: string): Promise<void> {
    await this.#talk(server, name, ['-tls1_2', '-sess_out', this.#session])
  }

  /** Whether a server goes on with the session that was kept last. */
  async isResumed(server: BootedHost, name: string): Promise<boolean> {
    return /^Reused, /m.test(await this.#talk(server, name, ['-tls1_2', '-sess_in', this.#session]))
  }

  /** Version of HTTP, status and body of what a server answers over HTTPS, by curl; rejects unless chain, dates and name hold. */
  async get(server: BootedHost, host: string, path = '/'): Promise<string> {
    const where = ['--cacert', this.#roots, '--resolve', `${host}:443:${server.ipv4}`, `https://${host}${path}`]
    return await this.#internet.run('curl', '-sS', '--max-time', '20', '-w', ' %{http_version} %{http_code}', ...where)
  }

  async #talk(server: BootedHost, name: string, more: readonly string[]): Promise<string> {
    const wanted = ['-servername', name, '-verify_hostname', name, '-CAfile', this.#roots, '-no-CApath', '-no-CAstore']
    const line = ['openssl', 's_client', '-connect', `${server.ipv4}:443`, '-verify_return_error', ...wanted, ...more]
    return await this.#internet.run('sh', '-c', `timeout 20 ${line.join(' ')} </dev/null`)
  }
}
