/**
 * Dates of HTTP (RFC 9110 section 5.6.7): whole seconds, written in one form and read in three.
 */
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY = '(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat)'
const MONTH = `(${MONTHS.join('|')})`
const TIME = '([0-9]{2}):([0-9]{2}):([0-9]{2})'
const FORMS: readonly { readonly form: RegExp; readonly order: 'dmy' | 'mdy' }[] = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  { form: new RegExp(`^${DAY}, ([0-9]{2}) ${MONTH} ([0-9]{4}) ${TIME} GMT$`), order: 'dmy' },
  // Sunday, 06-Nov-94 08:49:37 GMT
  {
    form: new RegExp(
      `^(?:Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday), ([0-9]{2})-${MONTH}-([0-9]{2}) ${TIME} GMT$`,
    ),
    order: 'dmy',
  },
  // Sun Nov  6 08:49:37 1994
  { form: new RegExp(`^${DAY} ${MONTH} ([ 0-9][0-9]) ${TIME} ([0-9]{4})$`), order: 'mdy' },
]

/** Milliseconds since the epoch as an HTTP date, cut to the second. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString()
}

/**
 * Milliseconds since the epoch of an HTTP date in any of its three forms; undefined for what is none. Of years with two
 * digits those from 70 up are of the last century: dates of files lie in the past, and not far ahead of now.
 */
export function findHttpDate(text: string): number | undefined {
  if (text.length > 40) return undefined
  for (const { form, order } of FORMS) {
    const match = form.exec(text)
    if (match === null) continue
    const parts = match.slice(1) as [string, string, string, string, string, string]
    const [day, month, year, hours, minutes, seconds] =
      order === 'dmy' ? parts : ([parts[1], parts[0], parts[5], parts[2], parts[3], parts[4]] as const)
    return findTime(fullYear(year), MONTHS.indexOf(month), Number(day), Number(hours), Number(minutes), Number(seconds))
  }
  return undefined
}

const fullYear = (digits: string): number =>
  digits.length === 4 ? Number(digits) : Number(digits) + (Number(digits) >= 70 ? 1900 : 2000)

/** Undefined for a 31st of February or a 25th hour; a leap second is the second before it. */
function findTime(year: number, month: number, day: number, hours: number, minutes: number, seconds: number) {
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  date.setUTCHours(hours, minutes, Math.min(seconds, 59))
  return date.getUTCDate() === day && date.getUTCMonth() === month ? date.getTime() : undefined
}
