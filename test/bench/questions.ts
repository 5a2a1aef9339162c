import { encode, type OptAnswer } from 'dns-packet'

/** A query for addresses; with OPT where options are given, if only none. */
export function question(name: string, options?: OptAnswer['options']): Buffer {
  const additionals: OptAnswer[] =
    options === undefined
      ? []
      : [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: 1232,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options,
          },
        ]
  return encode({ type: 'query', id: 0, questions: [{ name, type: 'A' }], additionals })
}

/** Another /24 for each number, all over the space of addresses. */
export function subnet(i: number): OptAnswer['options'][number] {
  const ip = `${1 + ((i * 37) % 222)}.${(i * 101) % 256}.${(i >> 2) % 256}.0`
  return { code: 8, family: 1, ip, sourcePrefixLength: 24, scopePrefixLength: 0 } as OptAnswer['options'][number]
}

/** As dnsperf reads them with -B: each with its length before it. */
export function framed(messages: readonly Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(message.length)
      return [length, message]
    }),
  )
}
