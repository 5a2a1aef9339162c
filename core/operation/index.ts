export { type CertificateName, parseCertificateName, type SealEpochKey } from './change-fields.ts'
export {
  CHANGE_KINDS,
  type Change,
  type ChangeKind,
  type ChangeOf,
  NODE_FIELDS,
  readChange,
  SCHEMA,
  schemaOf,
} from './changes.ts'
export {
  createOperation,
  type Defect,
  type Draft,
  decodeOperation,
  MAX_HEADS,
  MAX_MESSAGE_LENGTH,
  MAX_OPERATION_BYTES,
  type Operation,
  oldestSchema,
  operationIdOf,
  type Raise,
  signatureOf,
  wrongSignature,
} from './operation.ts'
