import { MAX_TTL } from '../rdata/index.ts'

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** Seconds, or a time like `1h30m` as BIND writes it; undefined for anything else and for more than a TTL can be. */
export function findTtl(text: string): number | undefined {
  if (text.length > 40) return undefined
  const seconds = /^[0-9]+$/.test(text) ? Number(text) : addUnits(text)
  return seconds === undefined || seconds > MAX_TTL ? undefined : seconds
}

function addUnits(text: string): number | undefined {
  if (!/^([0-9]+[smhdw])+$/i.test(text)) return undefined
  let seconds = 0
  for (const [, digits, unit] of text.toLowerCase().matchAll(/([0-9]+)([smhdw])/g)) {
    seconds += Number(digits) * (UNIT_SECONDS[unit as string] as number)
  }
  return seconds
}
