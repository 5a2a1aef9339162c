import { createHash } from 'node:crypto'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'

/** A response, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A visitor's way to nodes: connections are kept and used again, as a browser does. */
export class Visitor implements Disposable {
  readonly #agent: Agent

  constructor(options: { readonly connections?: number } = {}) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 8 })
  }

  /** `path` is sent as it stands. Rejects when the connection fails or the body is cut short. */
  get(origin: string, host: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
    const { hostname, port } = new URL(origin)
    return new Promise((done, fail) => {
      const options = { hostname, port, path, agent: this.#agent, headers: { host, ...headers } }
      const outgoing = request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', fail)
        response.once('end', () => {
          const { statusCode = 0, headers: received } = response
          done({ status: statusCode, headers: received, body: Buffer.concat(chunks) })
        })
      })
      outgoing.once('error', fail)
      outgoing.end()
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** A path of a site as a URL has it. */
export const encodePath = (path: string): string => `/${path.split('/').map(encodeURIComponent).join('/')}`
