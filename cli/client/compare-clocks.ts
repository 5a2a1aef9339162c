import { MAX_STAMP_AHEAD_MS } from '../../core/index.ts'

/** Below this nothing comes of it but the order of changes that were made at the same time anyway. */
const NOTABLE_MS = 30_000

/** What to say of two clocks that differ; undefined where they agree well enough. Positive: the one here is ahead. */
export function describeClocks(machine: string, aheadMs: number): string | undefined {
  if (Math.abs(aheadMs) < NOTABLE_MS) return undefined
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const amount = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} minutes`
  const difference = `the clock of this computer is ${amount} ${aheadMs > 0 ? 'ahead of' : 'behind'} that of ${machine}`
  const so =
    aheadMs < 0
      ? 'what is changed here may lose against what others changed before'
      : aheadMs > MAX_STAMP_AHEAD_MS
        ? 'nodes refuse what is changed here'
        : 'what is changed here wins against what others change in the meantime'
  return `${difference}, so ${so}. Let the one that is wrong keep its time by NTP: timedatectl set-ntp true`
}
