import { attribute, be32, nested, textAttribute, u32 } from './attributes.ts'
import type { IpNetwork } from './ip-bytes.ts'

/** Rules of nftables as lists of expressions: linux/netfilter/nf_tables.h. What a rule needs is compared in the first register. */
export type Expression = Buffer

const NFTA_LIST_ELEM = 1
const REGISTER = be32(1)
const IFNAMSIZ = 16

const expression = (name: string, ...data: readonly Buffer[]): Expression =>
  nested(NFTA_LIST_ELEM, textAttribute(1, name), nested(2, ...data))

/** The value in the register is this one, or any other. */
const compare = (value: Uint8Array, isEqual = true): Expression =>
  expression('cmp', attribute(1, REGISTER), attribute(2, be32(isEqual ? 0 : 1)), nested(3, attribute(1, value)))

const META = { inputName: 6, outputName: 7, family: 15, protocol: 16 } as const
const meta = (key: keyof typeof META): Expression =>
  expression('meta', attribute(1, REGISTER), attribute(2, be32(META[key])))

const PAYLOAD_BASE = { network: 1, transport: 2 } as const
const payload = (base: keyof typeof PAYLOAD_BASE, offset: number, length: number): Expression =>
  expression(
    'payload',
    attribute(1, REGISTER),
    attribute(2, be32(PAYLOAD_BASE[base])),
    attribute(3, be32(offset)),
    attribute(4, be32(length)),
  )

/** It came in by, or leaves by, an interface of this name, or of any other. */
export function byInterface(direction: 'input' | 'output', name: string, isEqual = true): readonly Expression[] {
  const value = Buffer.alloc(IFNAMSIZ)
  value.write(name)
  return [meta(`${direction}Name`), compare(value, isEqual)]
}

const NFPROTO_IPV6 = 10
const SOURCE_OFFSET = 8
const DESTINATION_OFFSET = 24

/** An IPv6 packet from or to a network, whose prefix has whole bytes. */
export function ipv6Network(end: 'source' | 'destination', { bytes, bits }: IpNetwork): readonly Expression[] {
  if (bytes.length !== 16 || bits % 8 !== 0) throw new Error(`a prefix of ${bits} bits`)
  const length = bits / 8
  return [
    meta('family'),
    compare(Buffer.of(NFPROTO_IPV6)),
    payload('network', end === 'source' ? SOURCE_OFFSET : DESTINATION_OFFSET, length),
    compare(bytes.subarray(0, length)),
  ]
}

const CT_STATE = 0
/** NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED. */
const ESTABLISHED_OR_RELATED = 2 | 4

/** An answer, or an error that belongs to something that was sent. */
export function isAnswer(): readonly Expression[] {
  const mask = nested(4, attribute(1, u32(ESTABLISHED_OR_RELATED)))
  const none = nested(5, attribute(1, u32(0)))
  return [
    expression('ct', attribute(1, REGISTER), attribute(2, be32(CT_STATE))),
    expression('bitwise', attribute(1, REGISTER), attribute(2, REGISTER), attribute(3, be32(4)), mask, none),
    compare(u32(0), false),
  ]
}

const IPPROTO_ICMPV6 = 58
const ECHO_REQUEST = 128

/** An ICMPv6 echo request (RFC 4443 section 4.1). */
export const isPing = (): readonly Expression[] => [
  meta('protocol'),
  compare(Buffer.of(IPPROTO_ICMPV6)),
  payload('transport', 0, 1),
  compare(Buffer.of(ECHO_REQUEST)),
]

const VERDICTS = { drop: 0, accept: 1 } as const

/** Counted, so that `nft list ruleset` shows what was held back; then the end of the chain. */
export const verdict = (what: keyof typeof VERDICTS): readonly Expression[] => [
  expression('counter'),
  expression('immediate', attribute(1, be32(0)), nested(2, nested(2, attribute(1, be32(VERDICTS[what]))))),
]
