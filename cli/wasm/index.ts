export { BUILT, buildBindings, buildProject, LANGUAGES, type Language, type ProjectRequest } from './build-project.ts'
