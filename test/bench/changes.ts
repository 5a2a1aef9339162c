import type { Change, Hostname, OwnerName } from '../../core/index.ts'

/** The domain that benchmarks write to. */
export const DOMAIN = 'bench.example' as Hostname

export const domainSet: Change = {
  kind: 'domain.set',
  domain: DOMAIN,
  spa: false,
  onConcurrent: 'latest',
  previews: true,
}

/** An A record, another name for each number. */
export const recordSet = (i: number, value = addressOf(i)): Change => ({
  kind: 'record.set',
  domain: DOMAIN,
  name: `r${i}` as OwnerName,
  type: 'A',
  ttl: 300,
  values: [value],
})

export const addressOf = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
