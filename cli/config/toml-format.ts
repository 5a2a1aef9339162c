/** A text, number, boolean or array of them as a TOML 1.0 value. Throws a TypeError for anything else. */
export function formatTomlValue(value: unknown): string {
  if (typeof value === 'string') return formatTomlString(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number' && Number.isFinite(value)) return formatNumber(value)
  if (Array.isArray(value)) return `[${value.map(formatTomlValue).join(', ')}]`
  throw new TypeError(`${typeof value} is no TOML value that is written here`)
}

/** JSON's escapes are TOML's; only DEL has to be escaped in addition. */
const formatTomlString = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f')

/** `1e21` is a TOML float, `5` an integer: both read back as the same number. */
const formatNumber = (value: number): string => (Object.is(value, -0) ? '0' : String(value))
