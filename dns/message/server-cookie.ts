import { ipOctets, SipHash } from '../wire/index.ts'
import { CLIENT_COOKIE_OCTETS, type Cookie } from './edns-options.ts'

/** What a cookie proves about the address that it came from. */
export type CookieStanding =
  /** We gave it to this address within the last hour: whoever sent it receives what we send there. */
  | 'valid'
  /** There is only the asker's half. */
  | 'new'
  /** It is not ours, of another address, or too old. */
  | 'bad'

/** A cookie that was looked at. */
export interface JudgedCookie {
  readonly standing: CookieStanding
  /** The data of the COOKIE option to answer with. */
  readonly option: Uint8Array
}

const VERSION = 1
const SERVER_COOKIE_OCTETS = 16
/** RFC 9018 section 4.3: how old a cookie may be, how far in the future, and from when on it is given anew; seconds. */
const MAX_AGE_SECONDS = 3600
const MAX_AHEAD_SECONDS = 300
const RENEW_AFTER_SECONDS = 1800

/** Makes and checks server cookies that other implementations with the same secret understand (RFC 9018). */
export class ServerCookies {
  readonly #hash: SipHash

  /** Throws RangeError unless `secret` is 16 octets in hexadecimal. */
  constructor(secret: string) {
    this.#hash = new SipHash(Buffer.from(secret, 'hex'))
  }

  /** `nowSeconds` since 1970. Undefined when the address is none, as of a connection that is gone already. */
  judge({ client, server }: Cookie, address: string, nowSeconds: number): JudgedCookie | undefined {
    const octets = ipOctets(address)
    if (octets === undefined) return undefined
    if (server === undefined) return { standing: 'new', option: this.#make(client, octets, nowSeconds) }
    const age = this.#findAge(client, server, octets, nowSeconds)
    if (age === undefined) return { standing: 'bad', option: this.#make(client, octets, nowSeconds) }
    const option = age < RENEW_AFTER_SECONDS ? Buffer.concat([client, server]) : this.#make(client, octets, nowSeconds)
    return { standing: 'valid', option }
  }

  /** Seconds; undefined when the cookie was not made here for this address, or not in the last hour. */
  #findAge(client: Uint8Array, server: Uint8Array, address: Uint8Array, nowSeconds: number): number | undefined {
    if (server.length !== SERVER_COOKIE_OCTETS || server[0] !== VERSION) return undefined
    const given = Buffer.from(server.buffer, server.byteOffset, server.length)
    // Seconds of 32 bits that wrap around (RFC 1982).
    const age = (nowSeconds - given.readUInt32BE(4)) | 0
    if (age > MAX_AGE_SECONDS || age < -MAX_AHEAD_SECONDS) return undefined
    const { low, high } = this.#hash.digest(Buffer.concat([client, server.subarray(0, 8), address]))
    return given.readUInt32LE(8) === low && given.readUInt32LE(12) === high ? age : undefined
  }

  #make(client: Uint8Array, address: Uint8Array, nowSeconds: number): Uint8Array {
    const option = Buffer.alloc(CLIENT_COOKIE_OCTETS + SERVER_COOKIE_OCTETS)
    option.set(client)
    option.writeUInt8(VERSION, CLIENT_COOKIE_OCTETS)
    option.writeUInt32BE(nowSeconds >>> 0, CLIENT_COOKIE_OCTETS + 4)
    const { low, high } = this.#hash.digest(Buffer.concat([option.subarray(0, CLIENT_COOKIE_OCTETS + 8), address]))
    option.writeUInt32LE(low, CLIENT_COOKIE_OCTETS + 8)
    option.writeUInt32LE(high, CLIENT_COOKIE_OCTETS + 12)
    return option
  }
}
