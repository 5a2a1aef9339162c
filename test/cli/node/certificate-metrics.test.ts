import t from 'tap'
import { writeCertificateMetrics } from '../../../cli/node/certificate-metrics.ts'
import { MetricsText } from '../../../cli/node/metrics-text.ts'

t.test('orders that ended, and when the first certificate is over', async (t) => {
  const text = new MetricsText()
  writeCertificateMetrics(text, { orders: { issued: 3, failed: 2 }, firstEndMs: 1_800_000_000_000 })
  t.match(text.toString(), /^makiatto_certificate_orders_total\{result="issued"\} 3$/m)
  t.match(text.toString(), /^makiatto_certificate_orders_total\{result="failed"\} 2$/m)
  t.match(text.toString(), /^makiatto_certificates_first_expiry_seconds 1800000000$/m)
})

t.test('a node that gets none, and has none, says nothing of them', async (t) => {
  const text = new MetricsText()
  writeCertificateMetrics(text, { orders: undefined, firstEndMs: undefined })
  t.equal(text.toString().trim(), '')
})
