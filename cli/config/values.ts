import { isIP } from 'node:net'
import * as v from 'valibot'
import { asMakiError } from '../../core/index.ts'

/** Text that a `parseX` function turns into its canonical form; what it throws becomes the fault's message. */
export function parsedBy<T>(parse: (text: string) => T) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value)
      } catch (thrown) {
        addIssue({ message: asMakiError(thrown).message })
        return NEVER
      }
    }),
  )
}

const isTable = (input: unknown): input is Record<string, unknown> =>
  typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Date)

/** Secrets by name: what is wrong is told without what stands there, and no name is left out. */
export const secretTable = v.pipe(
  v.custom<Record<string, unknown>>(isTable, 'a table, like { KEY = "value" }, is expected'),
  v.rawTransform<Record<string, unknown>, Record<string, string>>(({ dataset, addIssue, NEVER }) => {
    const input = dataset.value
    const wrong = Object.entries(input).filter(([, value]) => typeof value !== 'string')
    for (const [key, value] of wrong)
      addIssue({
        message: 'text in quotes is expected',
        path: [{ type: 'object', origin: 'value', input, key, value }],
      })
    return wrong.length > 0 ? NEVER : (Object.fromEntries(Object.entries(input)) as Record<string, string>)
  }),
)

/** A whole number between two bounds, both included. */
export const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  v.pipe(
    v.number(),
    v.check(
      (value) => Number.isSafeInteger(value) && value >= min && value <= max,
      max === Number.MAX_SAFE_INTEGER
        ? `a whole number from ${min} is expected`
        : `a whole number from ${min} to ${max} is expected`,
    ),
  )

/** A number between two bounds, both included. */
export const within = (min: number, max: number) =>
  v.pipe(
    v.number(),
    v.check(
      (value) => Number.isFinite(value) && value >= min && value <= max,
      `a number from ${min} to ${max} is expected`,
    ),
  )

/** Text with at least one character that is not a space. */
export const filled = (maxLength = 1000) =>
  v.pipe(
    v.string(),
    v.check((text) => text.trim() !== '', 'it is empty'),
    v.maxLength(maxLength, `it is longer than ${maxLength} characters`),
  )

export const ipv4 = v.pipe(
  v.string(),
  v.check((text) => isIP(text) === 4, 'an IPv4 address is expected, like 203.0.113.7'),
)
export const ipv6 = v.pipe(
  v.string(),
  v.check((text) => isIP(text) === 6, 'an IPv6 address is expected, like 2001:db8::7'),
)
export const ip = v.pipe(
  v.string(),
  v.check((text) => isIP(text) !== 0, 'an IP address is expected'),
)
export const port = whole(1, 65535)
