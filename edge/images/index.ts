export { accepts, chooseFormat } from './choose-format.ts'
export { ImageClaims } from './image-claims.ts'
export { isAlive } from './image-folder.ts'
export { buildJob, entityTagOf, findEntityTag, type ImageJob, type ImageShape } from './image-job.ts'
export { type ImageOutcome, imageDone } from './image-outcome.ts'
export { type Fit, type ImageParameters, type ParsedParameters, parseParameters } from './image-parameters.ts'
export {
  type ImageCounters,
  type ImageLimits,
  ImageService,
  type ImageServiceOptions,
} from './image-service.ts'
export { findImageFormat, type ImageFormat, type ImageSettings, mediaTypeOf } from './image-settings.ts'
