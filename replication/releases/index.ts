export {
  Activation,
  type ActivationEvents,
  type ActivationOptions,
  type ReleaseTarget,
  type Unservable,
} from './activation.ts'
export {
  type DatedRelease,
  datedReleases,
  KEPT_FILES_OF,
  listKeptReleases,
  MOST_KEPT,
  mayBeOpen,
  OPEN_PAGE_MS,
} from './kept-releases.ts'
export { type ComputedMerge, computeMerge, findMergePlan } from './merge-assembly.ts'
export { checkRelease, type ReleaseBlobs, type ReleaseCheck, ReleaseChecker } from './release-check.ts'
export {
  findPublication,
  findPublished,
  isPurged,
  listPurges,
  type Purge,
  type ReleaseHistory,
} from './release-history.ts'
