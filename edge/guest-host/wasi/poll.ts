import type { Pollable as WasiPollable } from '@bytecodealliance/preview2-shim/interfaces/wasi-io-poll'
import type { Waiting } from '../../guest-contract/index.ts'
import { GuestTrap, type Instance, Resource, refuseAnswer } from './instance.ts'

/** When something can go on. `never`: not before the guest itself does more. */
export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'at'; readonly instantNs: bigint }
  | { readonly kind: 'owner'; readonly waiting: Waiting }
  | { readonly kind: 'never' }

/** Asks nobody: cheap. */
export type Look = () => Readiness

export const READY: Readiness = { kind: 'ready' }

/** Pollables that one call may name. */
export const MAX_POLLED = 1024
const NS_PER_MS = 1_000_000n
/** Of one wait; who waits longer waits again. */
const MAX_WAIT_MS = 60_000

/** `pollable` of wasi:io/poll. */
export class Pollable extends Resource implements WasiPollable {
  readonly #instance: Instance
  readonly #look: Look

  constructor(instance: Instance, look: Look) {
    super(instance)
    this.#instance = instance
    this.#look = look
  }

  ready(): boolean {
    return findReady(this.#instance, [this.#look], false).length > 0
  }

  block(): void {
    findReady(this.#instance, [this.#look], true)
  }

  /** What it looks at. */
  static lookOf(pollable: Pollable): Look {
    return pollable.#look
  }
}

/** `poll` of wasi:io/poll: at least one position. Traps for an empty list, one that is too long, and for waiting for ever. */
export function poll(instance: Instance, pollables: readonly Pollable[]): Uint32Array {
  if (pollables.length === 0) throw new GuestTrap('poll was called with an empty list')
  if (pollables.length > MAX_POLLED) throw new GuestTrap(`poll was called with more than ${MAX_POLLED} pollables`)
  return Uint32Array.from(findReady(instance, pollables.map(Pollable.lookOf), true))
}

/** Returns when it can go on. */
export function block(instance: Instance, look: Look): void {
  findReady(instance, [look], true)
}

/** Positions of those that can go on, ascending; with `blocks` at least one, however long that takes. */
function findReady(instance: Instance, looks: readonly Look[], blocks: boolean): number[] {
  for (;;) {
    const ready = new Set<number>()
    const positions: number[] = []
    const waiting: Waiting[] = []
    const timers: (readonly [position: number, instantNs: bigint])[] = []
    for (const [i, look] of looks.entries()) {
      const readiness = look()
      switch (readiness.kind) {
        case 'ready':
          ready.add(i)
          break
        case 'at':
          timers.push([i, readiness.instantNs])
          break
        case 'owner':
          positions.push(i)
          waiting.push(readiness.waiting)
          break
        case 'never':
          break
        default:
          readiness satisfies never
      }
    }
    addDue(instance.monotonicNs(), timers, ready)
    const isIdle = blocks && ready.size === 0
    if (isIdle && waiting.length === 0 && timers.length === 0)
      throw new GuestTrap('it waits for what cannot happen before it goes on itself')
    if (isIdle || waiting.length > 0) {
      for (const i of wait(instance, waiting, isIdle ? waitMs(timers, instance.monotonicNs()) : 0))
        ready.add(positions[i] as number)
      addDue(instance.monotonicNs(), timers, ready)
    }
    if (ready.size > 0 || !blocks) return [...ready].sort((a, b) => a - b)
  }
}

function addDue(nowNs: bigint, timers: readonly (readonly [number, bigint])[], ready: Set<number>): void {
  for (const [i, instantNs] of timers) if (instantNs <= nowNs) ready.add(i)
}

function waitMs(timers: readonly (readonly [number, bigint])[], nowNs: bigint): number {
  let mostMs = BigInt(MAX_WAIT_MS)
  for (const [, instantNs] of timers) {
    const ms = (instantNs - nowNs + NS_PER_MS - 1n) / NS_PER_MS
    if (ms < mostMs) mostMs = ms
  }
  return Math.max(0, Number(mostMs))
}

function wait(instance: Instance, waiting: readonly Waiting[], mostMs: number): readonly number[] {
  const { header } = instance.ask({ ask: 'wait', for: waiting, mostMs })
  if (!('ready' in header)) throw refuseAnswer('wait')
  return header.ready.filter((i) => i < waiting.length)
}
