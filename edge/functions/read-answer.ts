import type { GuestResponse } from '../guests/index.ts'
import { findGuestFields } from '../message/index.ts'

/** What of a function's answer may be sent; or why nothing of it may, for its author. */
export type ReadAnswer =
  | {
      readonly kind: 'valid'
      readonly status: number
      readonly headers: readonly (readonly [name: string, value: string])[]
      readonly body: Uint8Array
      readonly lengthBytes: number | undefined
      /** Names of fields that are not a function's to say, in lower case; the length of its content is not told of. */
      readonly dropped: readonly string[]
    }
  | { readonly kind: 'invalid'; readonly reason: string }

const NOTHING = new Uint8Array(0)
/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304])

/** Reads an answer as hostile: nothing of it ends a head, frames a message, or speaks for the node. */
export function readAnswer({ status, headers, body }: GuestResponse, isHead: boolean): ReadAnswer {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    return { kind: 'invalid', reason: `the status ${status} is none that a function can give: 200 to 599` }
  const fields = findGuestFields(headers, 'whole')
  if (fields === undefined)
    return {
      kind: 'invalid',
      reason: 'its headers are no headers: a name is a token, a value is visible characters, all together are 16 KiB',
    }
  const content = body ?? NOTHING
  const hasContent = !WITHOUT_CONTENT.has(status)
  const kept = new Set(fields.map(([name]) => name))
  const names = new Set(headers.map(([name]) => name.toLowerCase()))
  return {
    kind: 'valid',
    status,
    headers: fields,
    body: isHead || !hasContent ? NOTHING : content,
    lengthBytes: findLength(status, headers, body, isHead),
    dropped: [...names].filter((name) => !kept.has(name) && name !== 'content-length'),
  }
}

function findLength(
  status: number,
  headers: GuestResponse['headers'],
  body: Uint8Array | undefined,
  isHead: boolean,
): number | undefined {
  if (status === 204 || status === 304) return undefined
  if (status === 205) return 0
  if (!isHead) return body?.length ?? 0
  if (body !== undefined && body.length > 0) return body.length
  // Whoever answers HEAD without the content may know all the same how long it would be.
  const said = headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1].trim()
  return said !== undefined && /^[0-9]{1,15}$/.test(said) ? Number(said) : undefined
}
