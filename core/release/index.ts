export {
  checkPath,
  type EncodedManifest,
  findFileHashes,
  MAX_FILES,
  MAX_PATH_LENGTH,
  Manifest,
  type ManifestFile,
} from './manifest.ts'
export {
  describeMerge,
  isMergeable,
  MAX_MERGED_SIDES,
  type Merge,
  type MergedRelease,
  type MergePlan,
  mergeId,
  mergeManifests,
  mergeReleases,
  namedBlobs,
  planMerge,
  sidesOf,
} from './release-merge.ts'
