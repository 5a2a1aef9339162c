import { createHash } from 'node:crypto'
import type { MemberKey, OperationId, Signer } from '../../../core/index.ts'
import { createRandom } from '../../support/seeds.ts'
import { Shelf } from './blobs.ts'
import { Disk } from './disk.ts'
import type { Place, VirtualNetwork } from './network.ts'
import { Clock, ProcessLife } from './process-life.ts'
import type { Scheduler } from './scheduler.ts'

export const GOSSIP_PORT = 8787

/** A computer: a disk, a clock, a place, and one process at a time. */
export class Machine {
  readonly name: string
  readonly host: string
  readonly signer: Signer
  readonly clock = new Clock()
  disk: Disk
  readonly shelf = new Shelf()
  readonly scheduler: Scheduler
  readonly network: VirtualNetwork
  life: ProcessLife | undefined
  #generation = 0

  constructor(parts: {
    name: string
    host: string
    signer: Signer
    place: Place
    scheduler: Scheduler
    network: VirtualNetwork
    disk?: Disk
  }) {
    this.name = parts.name
    this.host = parts.host
    this.signer = parts.signer
    this.scheduler = parts.scheduler
    this.network = parts.network
    this.disk = parts.disk ?? new Disk(this.random())
    this.network.setPlace(this.host, parts.place)
  }

  get key(): MemberKey {
    return this.signer.key
  }

  get isUp(): boolean {
    return this.life?.alive === true
  }

  get address(): string {
    return `${this.host}:${GOSSIP_PORT}`
  }

  random() {
    return createRandom(this.scheduler.random.integer(2 ** 32))
  }

  /** A new process; the one before is gone. */
  startProcess(): ProcessLife {
    this.life?.kill()
    this.life = new ProcessLife(
      `${this.name}.${++this.#generation}`,
      this.disk,
      this.clock,
      this.scheduler,
      this.random(),
    )
    return this.life
  }

  /** kill -9: what was written is still there, synced or not. */
  kill(): void {
    this.life?.kill()
  }

  losePower(): void {
    this.life?.kill()
    this.disk.losePower()
  }
}

/** Few characters for a trace: which ids, in which order. */
export function fingerprint(ids: Iterable<OperationId>): string {
  const hash = createHash('sha256')
  for (const id of ids) hash.update(id)
  return hash.digest('hex').slice(0, 16)
}
