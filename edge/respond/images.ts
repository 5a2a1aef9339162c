import type { ImageJob, ImageOutcome, ImageSettings } from '../images/index.ts'

/** Images as `respond` sees them: what may be asked for, and results that lie ready. */
export interface Images {
  readonly settings: ImageSettings
  /** What became of a job, as far as it is known here without waiting. */
  find(job: ImageJob): ImageOutcome | undefined
}
