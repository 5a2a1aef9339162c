export type { AliasAddresses, AliasTable } from './alias-addresses.ts'
