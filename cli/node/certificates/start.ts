import type { Log, Runtime, Signer } from '../../../core/index.ts'
import type { CertificateRing, GossipService, Replica, SealOpener } from '../../../replication/index.ts'
import type { DaemonConfig } from '../../config/index.ts'
import type { NodeSeals } from '../node-seals.ts'
import type { Parts } from '../parts.ts'
import { CertificateKeeper } from './certificate-keeper.ts'
import { createHostLookup } from './look-up-host.ts'
import { readCertificateSettings } from './settings.ts'

export interface CertificateDutiesOptions {
  readonly config: DaemonConfig
  readonly parts: Parts
  readonly replica: Replica
  readonly gossip: Pick<GossipService, 'awareness' | 'events'>
  readonly signer: Signer
  readonly seals: NodeSeals
  readonly opened: SealOpener
  readonly certificates: CertificateRing
  readonly version: string
  readonly runtime: Runtime
  readonly log: Log
}

/** Undefined for a node that gets no certificates: it is told not to, or serves no visitors. Throws MAKI_CONFIG. */
export async function startCertificateDuties(
  options: CertificateDutiesOptions,
): Promise<CertificateKeeper | undefined> {
  const { config, parts, seals, opened, certificates } = options
  if (!config.acme.enabled || !parts.http || config.web.https_addr === undefined) return undefined
  return new CertificateKeeper({
    ...options,
    settings: await readCertificateSettings(config),
    seals: opened,
    epoch: () => seals.epoch(),
    ring: certificates,
    lookUp: createHostLookup(config.dns.resolvers, options.runtime),
    checkMs: config.acme.check_interval * 1000,
  })
}
