import type { Datetime } from '@bytecodealliance/preview2-shim/interfaces/wasi-clocks-wall-clock'
import { CLOCK_STEP_NS, type Instance } from './instance.ts'
import { Pollable } from './poll.ts'

const MS_PER_SECOND = 1000
const NS_PER_MS = 1_000_000

/** A time as WASI has it; times before 1970 as that of the epoch. */
export function toDatetime(ms: number): Datetime {
  const whole = Math.max(0, Math.floor(ms))
  return {
    seconds: BigInt(Math.floor(whole / MS_PER_SECOND)),
    nanoseconds: (whole % MS_PER_SECOND) * NS_PER_MS,
  }
}

/** wasi:clocks: the wall clock by the millisecond, the monotonic one in coarse steps. A pollable never fires early. */
export function buildClocks(instance: Instance): Record<string, object> {
  const { runtime } = instance.ports
  const subscribeInstant = (instantNs: bigint) => new Pollable(instance, () => ({ kind: 'at', instantNs }))
  return {
    'wasi:clocks/monotonic-clock': {
      now: () => instance.monotonicNs(),
      resolution: () => CLOCK_STEP_NS,
      subscribeInstant,
      subscribeDuration: (durationNs: bigint) => subscribeInstant(instance.monotonicNs() + durationNs),
    },
    'wasi:clocks/wall-clock': {
      now: () => toDatetime(runtime.now()),
      resolution: () => toDatetime(1),
    },
  }
}
