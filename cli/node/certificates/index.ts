export { CertificateKeeper, type CertificateKeeperOptions } from './certificate-keeper.ts'
export { createHostLookup, type LookUpHost } from './look-up-host.ts'
export { type CertificateSettings, readCertificateSettings } from './settings.ts'
