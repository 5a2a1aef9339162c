import type { Plan } from './plan.ts'

/** What shared caches listen to before Cache-Control (RFC 9213, and what is older), and Expires, which speaks to old ones. */
const TARGETED = /^(?:[a-z-]+-cache-control|surrogate-control|edge-control|x-accel-expires|expires)$/

/** The answer with this Cache-Control and nothing beside it that tells a cache otherwise, whatever rules said. */
export function withLifetime(plan: Plan, cacheControl: string): Plan {
  const others = Object.entries(plan.headers).filter(([name]) => !TARGETED.test(name))
  return { ...plan, headers: { ...Object.fromEntries(others), 'cache-control': cacheControl } }
}
