import type { PlaceRule } from '../../dns/index.ts'
import { formatFinding } from './findings.ts'
import type { ProjectConfig, ProjectOptions } from './project-config.ts'

/** `loadProject` of project-config.ts, loaded with all that checks DNS records when a project is read; most commands read none. */
export async function loadProject(path: string, options: ProjectOptions = {}): Promise<ProjectConfig> {
  const project = await import('./project-config.ts')
  return project.loadProject(path, options)
}

/** The warnings of a file as lines to print. */
export const formatWarnings = (project: ProjectConfig): readonly string[] => project.warnings.map(formatFinding)

/** `readPlaceRules` of place-rules.ts, loaded in the same way. */
export async function readPlaceRules(file: string): Promise<readonly PlaceRule[]> {
  const rules = await import('./place-rules.ts')
  return rules.readPlaceRules(file)
}
