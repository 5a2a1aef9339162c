export { startCertificateDuties } from './start.ts'
