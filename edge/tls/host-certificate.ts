/** A certificate with its key, as it is handed to TLS; plain data, for it crosses a process boundary. */
export interface HostCertificate {
  /** What it is filed under; another of that name replaces it. */
  readonly name: string
  /** Hosts and wildcards of one label that it is valid for, in lower case. */
  readonly names: readonly string[]
  /** PEM, the end entity's first. */
  readonly chain: string
  /** PKCS #8 PEM; never to be logged, written, or put into an error. */
  readonly key: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
}
