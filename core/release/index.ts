export { type EncodedManifest, findFileHashes, Manifest, type ManifestFile } from './manifest.ts'
export { findPreviewHost, type PreviewHost, previewHost } from './preview-host.ts'
export {
  describeMerge,
  isMergeable,
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
export { isRuleFile, RULE_FILES, type RuleFileName } from './rule-files.ts'
export { checkPath, MAX_PATH_LENGTH } from './site-path.ts'
