import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What lies where below a node's data folder. All of it but `keys` can be pulled or built again from other nodes. */
export interface NodeFolders {
  /** `blobs/` and `incoming/` lie in it. */
  readonly data: string
  readonly operations: string
  /** Says that operations were stored here, when they are gone. */
  readonly stored: string
  /** Made by the owner: what the store lost is not waited for. */
  readonly acceptLoss: string
  /** The fold of the operations, for the next start. */
  readonly checkpoint: string
  readonly document: string
  /** Which release each domain serves. */
  readonly active: string
  /** What the collection of blobs remembers, and how far their scrub has come. */
  readonly collection: string
  readonly scrub: string
  readonly incarnation: string
  /** What the targets of ALIAS records resolved to. */
  readonly aliases: string
  /** Addresses that were down when it was last asked. */
  readonly down: string
  /** Operations that a new node starts from. */
  readonly seed: string
  /** Encodings of blobs, which can be made again. */
  readonly variants: string
  /** Images that were made, which can be made again. */
  readonly images: string
  /** Components that were made ready to be run, which can be made again. */
  readonly components: string
  /** What transforms made of files, which can be made again. */
  readonly transformed: string
  /** Process ids of edge workers. */
  readonly workers: string
}

export async function makeNodeFolders(data: string): Promise<NodeFolders> {
  await mkdir(data, { recursive: true, mode: 0o750 })
  return {
    data,
    operations: join(data, 'operations'),
    stored: join(data, 'stored'),
    acceptLoss: join(data, 'accept-loss'),
    checkpoint: join(data, 'checkpoint.bin'),
    document: join(data, 'document.bin'),
    active: join(data, 'active.json'),
    collection: join(data, 'collection.json'),
    scrub: join(data, 'scrub.json'),
    incarnation: join(data, 'incarnation'),
    aliases: join(data, 'aliases.json'),
    down: join(data, 'down.json'),
    seed: join(data, 'bootstrap.operations'),
    variants: join(data, 'variants'),
    images: join(data, 'images'),
    components: join(data, 'components'),
    transformed: join(data, 'transformed'),
    workers: join(data, 'workers'),
  }
}
