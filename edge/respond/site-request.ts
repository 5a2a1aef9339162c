import type { RequestContent } from '../message/index.ts'

/**
 * What of a request its answer may depend on. Fields and client are asked for, so that who remembers an answer can note
 * what it depended on.
 */
export interface SiteRequest {
  readonly method: string
  /** As it was sent, one character for each byte. */
  readonly target: string
  /** Host header or `:authority`; undefined where it is missing or stands twice. */
  readonly host: string | undefined
  /** It came over TLS, or a proxy that is believed says so. */
  readonly secure: boolean
  /** Over our own TLS: whether the certificate of the connection is one for the host; absent elsewhere. */
  readonly covers?: ((host: string) => boolean) | undefined
  /** Its connection is known to come from no proxy that is believed. */
  readonly isDirect?: boolean
  /** The value of a field, its name in lower case; several lines are joined by `, ` (RFC 9110 section 5.3). */
  field(name: string): string | undefined
  client(): Client
  /** All fields of the head as they came, names in lower case. */
  fields(): readonly (readonly [name: string, value: string])[]
  /** Undefined where it has none. */
  readonly content: RequestContent | undefined
}

/** Who asks. */
export interface Client {
  /** IP address, as text. */
  readonly address: string
  /** ISO 3166-1 alpha-2, upper case; undefined where nothing says. */
  readonly country: string | undefined
}
