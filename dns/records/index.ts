/**
 * The door for whom writes and reads records and answers nobody: rdata, zones and master files, without servers, steering and what
 * looks up aliases.
 */
export * from '../master-file/index.ts'
export * from '../rdata/index.ts'
export * from '../wire/index.ts'
export * from '../zone/index.ts'
