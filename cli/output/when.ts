import { MakiError } from '../../core/index.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Mean Gregorian month and year: good for "how long ago", never for a date. */
const MONTH_MS = 30.436_875 * DAY_MS
const YEAR_MS = 365.2425 * DAY_MS

const STEPS = [
  ['year', YEAR_MS],
  ['month', MONTH_MS],
  ['day', DAY_MS],
  ['hour', HOUR_MS],
  ['minute', MINUTE_MS],
  ['second', SECOND_MS],
] as const

/** `3 minutes ago`, `in 2 hours`, `just now`. */
export function formatAgo(thenMs: number, nowMs: number): string {
  const age = nowMs - thenMs
  const words = formatDuration(Math.abs(age))
  if (words === undefined) return 'just now'
  return age > 0 ? `${words} ago` : `in ${words}`
}

/** The largest whole unit, `5 days`; undefined below one second. */
export function formatDuration(durationMs: number): string | undefined {
  for (const [unit, unitMs] of STEPS) {
    const amount = Math.floor(durationMs / unitMs)
    if (amount >= 1) return `${amount} ${unit}${amount === 1 ? '' : 's'}`
  }
  return undefined
}

const SHORT_UNITS: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
}

/** A point in time as people type it: `30m`, `12h`, `7d`, `2w` back from now, a date, or an ISO 8601 time (UTC unless it says otherwise). */
export function parseWhen(text: string, nowMs: number): number {
  const atMs = findTime(text, nowMs)
  if (atMs !== undefined) return atMs
  throw new MakiError('MAKI_USAGE', `${JSON.stringify(text)} is not a time`, {
    hint: 'Write how long ago (30m, 12h, 7d, 2w), a date (2026-11-22) or a time (2026-11-22T10:00:00Z).',
  })
}

/** As `parseWhen`, but undefined for what is no time. Without `nowMs` nothing counts back from it. */
export function findTime(text: string, nowMs?: number): number | undefined {
  const trimmed = text.trim()
  const back = nowMs === undefined ? null : /^(\d{1,6})\s*([smhdw])$/.exec(trimmed)
  if (nowMs !== undefined && back !== null) return nowMs - Number(back[1]) * (SHORT_UNITS[back[2] as string] as number)
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(trimmed)) return undefined
  const iso = trimmed.replace(' ', 'T')
  const isZoned = iso.length === 10 || /(Z|[+-]\d{2}:?\d{2})$/.test(iso.slice(10))
  // V8 takes a 31st of February for the 3rd of March.
  const [year, month, day] = iso.slice(0, 10).split('-').map(Number) as [number, number, number]
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined
  const atMs = Date.parse(isZoned ? iso : `${iso}Z`)
  return Number.isFinite(atMs) ? atMs : undefined
}
