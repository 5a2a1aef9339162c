/** How a message came; it decides how long the answer may be. */
export type Transport = 'udp' | 'tcp'

/** Who sent a message. */
export interface Asker {
  /** IPv4 dotted or IPv6; an IPv4 address that came over an IPv6 socket is IPv4. Never with a zone. */
  readonly address: string
  readonly transport: Transport
}

/** The network that a resolver asks for (RFC 7871 section 6), as it was sent: validated, bits beyond the prefix zero. */
export interface ClientSubnet {
  readonly family: 'ipv4' | 'ipv6'
  /** SOURCE PREFIX-LENGTH: 0 to 32 or to 128; 0 asks not to be looked at. */
  readonly sourcePrefix: number
  /** 4 or 16 octets. */
  readonly address: Uint8Array
  /** FAMILY 0 was sent, which has no address: the other fields read as 0.0.0.0/0. */
  readonly withoutFamily?: boolean
}
