export { type CertificateName, parseCertificateName, type SealEpochKey } from './change-fields.ts'
export {
  CHANGE_KINDS,
  type Change,
  type ChangeKind,
  type ChangeOf,
  readChange,
  SCHEMA,
} from './changes.ts'
export {
  createOperation,
  type Defect,
  type Draft,
  decodeOperation,
  MAX_HEADS,
  MAX_OPERATION_BYTES,
  type Operation,
  operationIdOf,
  type Raise,
  signatureOf,
  wrongSignature,
} from './operation.ts'
export { schemaOf } from './schema-of.ts'
