import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { type VariantCounts, VariantMaker, type VariantMakerOptions } from '../../../../cli/node/variants/index.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import {
  type BlobHash,
  Emitter,
  type Hostname,
  hashBlob,
  Manifest,
  type Release,
  silentLog,
} from '../../../../core/index.ts'
import { VariantFolder } from '../../../../edge/index.ts'
import { type ActivationEvents, BlobStore } from '../../../../replication/index.ts'
import { eventually } from '../../../support/eventually.ts'
import type { Random } from '../../../support/seeds.ts'

/** A node's folder with blobs, what is switched to in it, and what an edge worker knows of its encodings. */
export class MadeSite {
  readonly directory: string
  readonly blobs: BlobStore
  readonly worker: VariantFolder
  readonly active = new Map<Hostname, Release>()
  readonly events = new Emitter<ActivationEvents>()
  readonly damaged: BlobHash[] = []
  /** Everything that workers were told, packed. */
  readonly announced: Uint8Array[] = []

  private constructor(directory: string, blobs: BlobStore) {
    this.directory = directory
    this.blobs = blobs
    this.worker = new VariantFolder(this.variants)
  }

  static async open(directory: string): Promise<MadeSite> {
    return new MadeSite(directory, await BlobStore.open(directory))
  }

  get variants(): string {
    return join(this.directory, 'variants')
  }

  async put(bytes: Uint8Array): Promise<BlobHash> {
    const hash = hashBlob(bytes)
    await this.blobs.put(
      hash,
      (async function* () {
        yield bytes
      })(),
    )
    return hash
  }

  /** Publishes files and switches to them. */
  async publish(files: Readonly<Record<string, Uint8Array>>, name = 'example.com'): Promise<Release> {
    const domain = name as Hostname
    const listed = await Promise.all(
      Object.entries(files).map(async ([path, bytes]) => ({
        path,
        hash: await this.put(bytes),
        sizeBytes: bytes.length,
      })),
    )
    const { bytes } = Manifest.of(listed).encode()
    const release = { id: `${name}`, domain, manifest: await this.put(bytes) } as unknown as Release
    this.active.set(domain, release)
    this.events.emit('active', { domain, release })
    return release
  }

  /** `isShort`: what the disk says, which is else that there is room. */
  start({ isShort = () => false, ...part }: Partial<VariantMakerOptions> & { isShort?: () => boolean } = {}) {
    const { blobs } = this
    return VariantMaker.start({
      directory: this.variants,
      budgetBytes: 1024 * 1024 * 1024,
      blobs: {
        events: blobs.events,
        path: (hash) => blobs.path(hash),
        size: (hash) => blobs.size(hash),
        read: (hash) => blobs.read(hash),
        missing: (hashes) => blobs.missing(hashes),
        isShort: async () => isShort(),
      },
      activation: { active: () => this.active, events: this.events },
      announce: (records) => {
        this.announced.push(records)
        this.worker.table.apply(records)
      },
      onDamaged: (hash) => this.damaged.push(hash),
      load: () => 0,
      runtime: systemRuntime,
      log: silentLog,
      ...part,
    })
  }
}

const decode = { br: brotliDecompressSync, gzip: gunzipSync, zstd: zstdDecompressSync }

/** Text that has something to save. */
export function writeText(random: Random, length: number): Uint8Array {
  return Buffer.from(Array.from({ length }, () => random.pick([...'etaoinshrdlu <>/="'])).join(''))
}

/** All that lies in the folder of encodings, and is no secret of the encoder. */
export function listFiles(site: MadeSite): string[] {
  return readdirSync(site.variants, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'useless.bin')
    .map(({ parentPath, name }) => join(parentPath, name))
}

/** Resolves when nothing is left to be done, with the counts of then. */
export function untilDone(maker: VariantMaker, what: (counts: VariantCounts) => boolean): Promise<VariantCounts> {
  return eventually('the encodings are made', () => (what(maker.counts) ? maker.counts : undefined))
}

/** What workers are told decodes to the blob that it names. */
export async function wrongOnes(site: MadeSite, contents: ReadonlyMap<BlobHash, Uint8Array>): Promise<string[]> {
  const wrong: string[] = []
  for (const { hash, ...variant } of [...site.worker.table.records()]) {
    const plain = contents.get(hash)
    const bytes = await site.worker.read(hash, variant).catch(() => undefined)
    if (plain === undefined || bytes === undefined || !decode[variant.coding](bytes).equals(plain))
      wrong.push(`${variant.coding} of ${hash}`)
  }
  return wrong
}

/** What each blob of some files is. */
export const contentsOf = (files: Readonly<Record<string, Uint8Array>>) =>
  new Map(Object.values(files).map((bytes) => [hashBlob(bytes), bytes]))
