import { connect } from 'node:tls'
import { endWithSocket } from './probe-http.ts'
import { type ProbeOptions, type ProbeReport, settleOnce } from './probe-report.ts'

export interface TlsProbeOptions extends ProbeOptions {
  /** The name that is asked for (SNI, RFC 6066 section 3); none where there is no domain. */
  readonly domain: string | undefined
}

/**
 * A TLS handshake, nothing more. Whether the certificate is valid, or there is one, is not asked here: what has expired or
 * was never made is so on all nodes at once, and taking all away helps nobody. So an alert is an answer too.
 */
export function probeTls(options: TlsProbeOptions): Promise<ProbeReport> {
  const { host, port, domain } = options
  return settleOnce(
    options,
    () => `no TLS handshake within ${options.timeoutMs / 1000} s`,
    (settle) => {
      const socket = connect({
        host,
        port,
        rejectUnauthorized: false,
        ...(domain === undefined ? {} : { servername: domain }),
      })
      socket.once('secureConnect', () => settle({ kind: 'up' }))
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code?.includes('ALERT') === true) settle({ kind: 'up' })
      })
      endWithSocket(socket, host, settle)
      return () => socket.destroy()
    },
  )
}
