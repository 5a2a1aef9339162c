import type { Random } from '../../support/seeds.ts'
import { encodePath, sha256, type Visitor } from './http.ts'

/** The files of a site in which every byte tells which generation of it was built: path to content. */
export type Generation = ReadonlyMap<string, Buffer>

const FILES = 36
/** Most files of a site are small, a few are not: those cross the chunks of every buffer on the way. */
const SMALL_BYTES = 4000
const LARGE_BYTES = 700_000
const LARGE_EVERY = 9

/** Generation `number` of a site of pages and assets: the same paths each time, all contents different. */
export function buildGeneration(number: number, random: Random): Generation {
  const files = new Map<string, Buffer>()
  for (let i = 0; i < FILES; i++) {
    const size = 1 + random.integer(i % LARGE_EVERY === 0 ? LARGE_BYTES : SMALL_BYTES)
    files.set(pathAt(i), Buffer.from(`generation ${number} file ${i}\n`.padEnd(size, `${number} `)))
  }
  return files
}

const pathAt = (i: number): string => (i === 0 ? 'index.html' : `part ${i % 5}/asset-${i}.css`)

/** What a visitor was served against the promise of one release at a time (DESIGN.md, section 12, promise 4). */
export class MixWatch {
  /** In words; empty when every response kept the promise. */
  readonly violations: string[] = []
  /** How many whole responses were looked at. */
  seen = 0
  readonly #generations = new Map<string, string>()

  /** How many releases were met. */
  get releases(): number {
    return this.#generations.size
  }

  /**
   * Every response is whole (its bytes hash to its ETag), and all responses of one release, from whichever node, carry that
   * release's generation.
   */
  look(node: string, path: string, answer: { status: number; headers: Record<string, unknown>; body: Buffer }): void {
    const { status, headers, body } = answer
    const where = `${node} ${path} (${String(headers['makiatto-release'])})`
    // Nothing of the site is here yet: said as such, never half a site.
    if ((status === 404 || status === 503) && headers['makiatto-release'] === undefined) return
    this.seen += 1
    if (status !== 200) this.#violate(`${where}: status ${status}`)
    if (status !== 200) return
    if (headers.etag !== `"${sha256(body)}"`) this.#violate(`${where}: the bytes are not those of the ETag`)
    const release = String(headers['makiatto-release'])
    const generation = /^generation \d+/.exec(body.subarray(0, 40).toString())?.[0] ?? 'no generation'
    const known = this.#generations.get(release)
    if (known === undefined) this.#generations.set(release, generation)
    else if (known !== generation) this.#violate(`${where}: ${generation} and ${known} in one release`)
  }

  #violate(text: string): void {
    if (this.violations.length < 20) this.violations.push(text)
  }
}

/** Fetches a whole generation from a node; what is not as it should be, in words. */
export async function compareSite(
  visitor: Visitor,
  origin: string,
  host: string,
  wanted: Generation,
): Promise<readonly string[]> {
  const faults: string[] = []
  const releases = new Set<string>()
  await Promise.all(
    [...wanted].map(async ([path, content]) => {
      const { status, headers, body } = await visitor.get(origin, host, encodePath(path))
      releases.add(String(headers['makiatto-release']))
      if (status !== 200) faults.push(`${path}: status ${status}`)
      else if (!body.equals(content)) faults.push(`${path}: ${body.subarray(0, 20).toString()}, ${body.length} bytes`)
    }),
  )
  if (releases.size !== 1) faults.push(`releases ${[...releases].join(', ')}`)
  return faults
}
