import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateMaker } from './certificate-maker.ts'
import { Child } from './child.ts'
import { findFreePorts } from './free-ports.ts'

export interface PebbleOptions {
  /** Where it listens; 127.0.0.1 where nothing is said. */
  readonly address?: string
  /** Two of them, free there: the directory's and the management's. */
  readonly ports?: readonly [number, number]
  /** `address:port` of the resolver that it looks names up with. */
  readonly resolver: string
  /** The port at which it looks for what HTTP-01 shows. */
  readonly httpPort: number
  /** Of a hundred good nonces it refuses so many. */
  readonly refusedNonces?: number
  /** HMAC keys by id, base64url: accounts need one of them. */
  readonly bindings?: Readonly<Record<string, string>>
  /** Of a hundred authorizations it takes so many again without another look. */
  readonly reused?: number
  /** How long its certificates live; five years where nothing is said. */
  readonly lifeSeconds?: number
  /** Stands before its command: `ip netns exec NAME`. */
  readonly wrapper?: readonly string[]
}

/**
 * A certificate authority, Debian's pebble: strict, with nonces that are refused, and without the pauses that it makes. Gone with all its
 * files at the end.
 */
export class Pebble implements AsyncDisposable {
  readonly directory: string
  /** PEM of who signed its own TLS certificate. */
  readonly apiCa: string
  readonly #folder: string
  readonly #child: Child
  readonly #management: string

  private constructor(folder: string, child: Child, apiCa: string, at: { directory: string; management: string }) {
    this.#folder = folder
    this.#child = child
    this.apiCa = apiCa
    this.directory = at.directory
    this.#management = at.management
  }

  static async open(options: PebbleOptions): Promise<Pebble> {
    const {
      address = '127.0.0.1',
      refusedNonces = 10,
      reused = 0,
      bindings,
      lifeSeconds,
      resolver,
      httpPort,
      wrapper = [],
    } = options
    const [api, management] = options.ports ?? (await findTwo())
    const folder = mkdtempSync(join(tmpdir(), 'maki-pebble-'))
    using maker = new CertificateMaker()
    const { chain, key } = maker.make([address, 'localhost'])
    const at = (name: string) => join(folder, name)
    writeFileSync(at('api.pem'), chain)
    writeFileSync(at('api.key'), key, { mode: 0o600 })
    const apiCa = readFileSync(maker.caFile, 'utf8')
    const host = address.includes(':') ? `[${address}]` : address
    const config = {
      pebble: {
        listenAddress: `${host}:${api}`,
        managementListenAddress: `${host}:${management}`,
        certificate: at('api.pem'),
        privateKey: at('api.key'),
        httpPort,
        tlsPort: 443,
        ocspResponderURL: '',
        externalAccountBindingRequired: bindings !== undefined,
        externalAccountMACKeys: bindings ?? {},
        ...(lifeSeconds === undefined ? {} : { certificateValidityPeriod: lifeSeconds }),
      },
    }
    writeFileSync(at('pebble.json'), JSON.stringify(config))
    const words = [...wrapper, 'pebble', '-config', at('pebble.json'), '-strict', '-dnsserver', resolver]
    const env = {
      ...process.env,
      PEBBLE_VA_NOSLEEP: '1',
      PEBBLE_WFE_NONCEREJECT: String(refusedNonces),
      PEBBLE_AUTHZREUSE: String(reused),
    }
    const child = new Child(words[0] as string, words.slice(1), { env })
    await child.waitForLine((line) => line.includes('ACME directory available at'))
    return new Pebble(folder, child, apiCa, {
      directory: `https://${host}:${api}/dir`,
      management: `https://${host}:${management}`,
    })
  }

  get pid(): number {
    return this.#child.pid
  }

  get lines(): readonly string[] {
    return this.#child.lines
  }

  /** PEM of its root: new at every start. Asked on this side: not where it runs in a network of its own. */
  root(): Promise<string> {
    return this.manage('/roots/0')
  }

  /** What its management says at a path. */
  async manage(path: string): Promise<string> {
    return await new Promise((done, fail) => {
      const asked = request(`${this.#management}${path}`, { ca: this.apiCa }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('end', () => done(text))
      })
      asked.on('error', fail)
      asked.end()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function findTwo(): Promise<[number, number]> {
  const base = await findFreePorts([0, 1])
  return [base, base + 1]
}
