export { IdTable } from './id-table.ts'
export { Interned } from './interned.ts'
export { BytesList, NumberList } from './packed-lists.ts'
