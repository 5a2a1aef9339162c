import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type KeyType = 'ec' | 'rsa'

export interface MadeCertificate {
  readonly names: readonly string[]
  readonly chain: string
  readonly key: string
}

/** An authority of a test's own, by openssl; its folder goes with it. */
export class CertificateMaker implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'maki-ca-'))
  #serial = 1

  constructor() {
    this.#run([
      'req',
      '-x509',
      ...newKey('ec', this.#at('ca.key')),
      '-out',
      this.#at('ca.pem'),
      '-days',
      '36500',
      '-subj',
      '/CN=Test authority',
    ])
  }

  /** The file that clients trust. */
  get caFile(): string {
    return this.#at('ca.pem')
  }

  /** Valid for a year; names are those of hosts, or addresses. */
  make(names: readonly string[], keyType: KeyType = 'ec'): MadeCertificate {
    const id = this.#serial++
    const [key, out, extensions] = [this.#at(`${id}.key`), this.#at(`${id}.pem`), this.#at(`${id}.ext`)]
    const request = this.#at(`${id}.csr`)
    this.#run(['req', '-new', ...newKey(keyType, key), '-out', request, '-subj', `/CN=${id}`])
    writeFileSync(
      extensions,
      `subjectAltName=${names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',')}\nbasicConstraints=CA:false\n`,
    )
    this.#run([
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.caFile,
      '-CAkey',
      this.#at('ca.key'),
      '-set_serial',
      String(id),
      '-days',
      '365',
      '-extfile',
      extensions,
      '-out',
      out,
    ])
    return { names: [...names].sort(), chain: readFileSync(out, 'utf8'), key: readFileSync(key, 'utf8') }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #at(name: string): string {
    return join(this.#folder, name)
  }

  #run(args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' })
  }
}

function newKey(type: KeyType, file: string): string[] {
  const kind = type === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  return ['-newkey', ...kind, '-nodes', '-keyout', file]
}
