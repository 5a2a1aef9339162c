export { type VariantCounts, VariantMaker, type VariantMakerOptions } from './variant-maker.ts'
