import type { MetricsText, Sample } from './metrics-text.ts'

/** Orders of certificates that ended. */
export interface OrderCounts {
  readonly issued: number
  readonly failed: number
}

export interface CertificateCounts {
  /** Undefined where this node gets none. */
  readonly orders: OrderCounts | undefined
  /** When the first of those that are served is over, milliseconds since the Unix epoch; undefined where there is none. */
  readonly firstEndMs: number | undefined
}

/** Of the certificates that are got by themselves. */
export function writeCertificateMetrics(text: MetricsText, { orders, firstEndMs }: CertificateCounts): void {
  if (firstEndMs !== undefined)
    text.gauge('makiatto_certificates_first_expiry_seconds', 'When the first certificate is over, as Unix time.', [
      [{}, firstEndMs / 1000],
    ])
  if (orders === undefined) return
  const samples: readonly Sample[] = [
    [{ result: 'issued' }, orders.issued],
    [{ result: 'failed' }, orders.failed],
  ]
  text.counter('makiatto_certificate_orders_total', 'Orders of certificates by this node, by how they ended.', samples)
}
