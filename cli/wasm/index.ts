export {
  BUILT,
  buildBindings,
  buildProject,
  describeBuild,
  LANGUAGES,
  type Language,
  type ProjectRequest,
} from './build-project.ts'
export { describeImports, type ImportLine } from './describe-imports.ts'
export { type InspectedFile, inspectFile } from './read-component.ts'
export { writeProject } from './write-project.ts'
