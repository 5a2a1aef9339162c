import { Agent } from 'node:http'
import { asMakiError, type BlobHash, type Cancel, type Log, MakiError, type Runtime } from '../../core/index.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import { type BlobPeer, PeerRanking } from './peer-ranking.ts'
import { FAULTS, forgetPartial, receivePack, receiveSingle, TryAgain } from './receive-blobs.ts'
import { findExhausted, planTransfer, type TransferPlan } from './transfer-plan.ts'
import { type FetchOptions, type Job, type Want, type WantedBlob, WantTable } from './want-table.ts'

export interface BlobFetcherOptions {
  readonly store: BlobStore
  /** Who can be asked now, nearest first. */
  readonly peers: () => readonly BlobPeer[]
  readonly runtime: Pick<Runtime, 'monotonic' | 'random' | 'after'>
  readonly log: Log
  readonly idleMs?: number
}

/** For metrics; only ever grow. */
export interface FetchCounts {
  blobs: number
  packs: number
  singles: number
  resumed: number
  lied: number
  stalled: number
  failed: number
}

const MAX_TRANSFERS = 6
const IDLE_MS = 15_000
const FIRST_REST_MS = 500
const LONGEST_REST_MS = 60_000
/** Partial blobs that keep their file open while nobody sends them. */
const MAX_PARTIALS = 16

/**
 * Brings blobs from peers into the store: many small ones in packs, large ones alone and resumed where a connection
 * broke. What arrives is believed because of its hash only. Holds a few chunks a transfer in memory, never a release.
 */
export class BlobFetcher implements AsyncDisposable {
  readonly counts: FetchCounts = { blobs: 0, packs: 0, singles: 0, resumed: 0, lied: 0, stalled: 0, failed: 0 }
  readonly #options: BlobFetcherOptions
  readonly #table = new WantTable()
  readonly #ranking = new PeerRanking()
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_TRANSFERS })
  readonly #transfers = new Map<Transfer, Promise<void>>()
  readonly #unsubscribe: () => void
  #rounds = 0
  #cancelRest: Cancel | undefined
  #closed = false

  constructor(options: BlobFetcherOptions) {
    this.#options = options
    this.#unsubscribe = options.store.events.on('stored', ({ hashes }) => this.#stored(hashes))
  }

  /**
   * Resolves when all blobs are durable here, however they came. Peers that lack, stall or lie are passed over, and
   * all are asked again after a pause or `peersChanged`, until the signal ends it (rejects with its reason). Rejects
   * with MAKI_DISK_FULL or MAKI_STORE_FAILED when they cannot be kept.
   */
  async fetch(blobs: Iterable<WantedBlob>, options: FetchOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#closed) throw closedError()
    const sizes = new Map<BlobHash, WantedBlob>()
    for (const blob of blobs) sizes.set(blob.hash, blob)
    if (sizes.size === 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const remaining = new Map([...sizes.values()].map((blob) => [blob.hash, blob.sizeBytes ?? 0]))
    const totalBytes = remaining.values().reduce((sum, size) => sum + size, 0)
    const totals = { totalBlobs: sizes.size, totalBytes, doneBytes: 0 }
    const job: Job = { remaining, lacking: new Set(), ...totals, options, resolve, reject }
    const abort = (): void => this.#fail(job, options.signal?.reason)
    options.signal?.addEventListener('abort', abort, { once: true })
    // Wanted first and looked up second: what is stored in between is heard of.
    this.#check(this.#table.add(job, sizes.values())).catch((error: unknown) => this.#fail(job, error))
    try {
      await promise
    } finally {
      options.signal?.removeEventListener('abort', abort)
    }
  }

  /** Asks at once for what no peer had, instead of after the pause. */
  peersChanged(): void {
    this.#rounds = 0
    this.#endRest()
  }

  async #check(added: readonly Want[]): Promise<void> {
    const missing = new Set(await this.#options.store.missing(added.map((want) => want.hash)))
    for (const want of added) {
      if (!this.#table.has(want) || want.state !== 'checking') continue
      if (missing.has(want.hash)) this.#table.move(want, 'queued')
      else this.#table.settle(want)
    }
    this.#pump()
  }

  #stored(hashes: readonly BlobHash[]): void {
    const jobs = new Set<Job>()
    const settled: Want[] = []
    for (const hash of hashes) {
      const want = this.#table.find(hash)
      if (want === undefined) continue
      for (const job of want.jobs) jobs.add(job)
      this.#table.settle(want)
      settled.push(want)
    }
    if (settled.length === 0) return
    this.#release(settled)
    this.counts.blobs += settled.length
    this.#rounds = 0
    for (const job of jobs) {
      const { totalBlobs, totalBytes, doneBytes, remaining } = job
      job.options.onProgress?.({ blobs: totalBlobs - remaining.size, totalBlobs, bytes: doneBytes, totalBytes })
    }
  }

  #fail(job: Job, error: unknown): void {
    this.#release(this.#table.drop(job))
    job.reject(error)
    this.#pump()
  }

  /** Ends transfers that nobody waits for any more, and forgets pieces of what is not wanted. */
  #release(gone: readonly Want[]): void {
    for (const want of gone) if (want.state !== 'active') forgetPartial(want)
    for (const transfer of this.#transfers.keys()) {
      // A pack is a few seconds of work for others too: it ends only when a job was given up, not when blobs came in.
      const isDead = !transfer.wants.some((want) => this.#table.has(want))
      if (isDead && (transfer.wants.length === 1 || gone.some((want) => want.jobs.size === 0))) transfer.abort.abort()
    }
  }

  #pump(): void {
    if (this.#closed) return
    const peers = this.#options.peers()
    const nowMs = this.#options.runtime.monotonic()
    this.#ranking.keep(new Set(peers.map((peer) => peer.key)), nowMs)
    while (this.#transfers.size < MAX_TRANSFERS) {
      const plan = planTransfer(this.#table, peers, this.#ranking, nowMs)
      if (plan === undefined) break
      this.#start(plan)
    }
    this.#rest(findExhausted(this.#table, peers))
  }

  #start(plan: TransferPlan): void {
    const wants = plan.kind === 'pack' ? plan.wants : [plan.want]
    const transfer: Transfer = { wants, abort: new AbortController() }
    for (const want of wants) this.#table.move(want, 'active')
    this.#ranking.begin(plan.peer.key)
    const run = this.#transfer(plan, transfer).finally(() => {
      this.#ranking.end(plan.peer.key)
      this.#transfers.delete(transfer)
      for (const want of wants) {
        if (!this.#table.has(want)) forgetPartial(want)
        else if (want.state === 'active') this.#table.move(want, 'queued')
      }
      this.#pump()
    })
    this.#transfers.set(transfer, run)
  }

  async #transfer(plan: TransferPlan, transfer: Transfer): Promise<void> {
    const { store, runtime, idleMs = IDLE_MS, log } = this.#options
    const context = { agent: this.#agent, runtime, idleMs, signal: transfer.abort.signal }
    const { key } = plan.peer
    try {
      if (plan.kind === 'pack') {
        this.counts.packs += 1
        await receivePack(store, plan.peer, plan.wants, context)
      } else {
        this.counts.singles += 1
        if (await receiveSingle(store, plan.peer, plan.want, context)) this.counts.resumed += 1
      }
      this.#ranking.succeed(key)
      // What it did not send it does not have.
      for (const want of transfer.wants) want.asked.add(key)
    } catch (thrown) {
      if (transfer.abort.signal.aborted || thrown instanceof TryAgain) return
      const error = asMakiError(thrown)
      const fault = FAULTS[error.code]
      if (fault === undefined) {
        const jobs = new Set(transfer.wants.flatMap((want) => [...want.jobs]))
        for (const job of jobs) this.#fail(job, error)
        return
      }
      this.counts[fault] += 1
      this.#ranking.blame(key, fault, runtime.monotonic())
      for (const want of transfer.wants) want.asked.add(key)
      log.warn('blobs.peer_passed_over', { peer: key, fault, error })
    }
  }

  /** Wants that no peer could meet wait for the next round. */
  #rest(exhausted: readonly Want[]): void {
    const jobs = new Set<Job>()
    for (const want of exhausted) {
      this.#table.move(want, 'resting')
      for (const job of want.jobs) {
        if (job.lacking.has(want.hash)) continue
        job.lacking.add(want.hash)
        jobs.add(job)
      }
    }
    const partials = [...this.#table.resting].filter((want) => want.partial !== undefined)
    for (const want of partials.slice(MAX_PARTIALS)) forgetPartial(want)
    for (const job of jobs) job.options.onLacking?.([...job.lacking])
    if (this.#table.resting.size === 0 || this.#cancelRest !== undefined || this.#closed) return
    const { runtime } = this.#options
    const restMs = Math.min(FIRST_REST_MS * 2 ** this.#rounds, LONGEST_REST_MS)
    this.#rounds = Math.min(this.#rounds + 1, 16)
    // Half of it is chance, so that the nodes of a cluster do not ask in step.
    this.#cancelRest = runtime.after(restMs * (0.5 + runtime.random() / 2), () => this.#endRest())
  }

  #endRest(): void {
    this.#cancelRest?.()
    this.#cancelRest = undefined
    for (const want of [...this.#table.resting]) {
      want.asked.clear()
      this.#table.move(want, 'queued')
    }
    this.#pump()
  }

  /** Ends what is under way; fetches that still wait reject with MAKI_UNREACHABLE. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancelRest?.()
    this.#unsubscribe()
    const jobs = new Set([...this.#table.all()].flatMap((want) => [...want.jobs]))
    for (const job of jobs) this.#fail(job, closedError())
    for (const transfer of this.#transfers.keys()) transfer.abort.abort()
    await Promise.allSettled([...this.#transfers.values()])
    this.#agent.destroy()
  }
}

interface Transfer {
  readonly wants: readonly Want[]
  readonly abort: AbortController
}

const closedError = (): MakiError => new MakiError('MAKI_UNREACHABLE', 'the node is closing: no more blobs are fetched')
