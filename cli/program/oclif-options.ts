import { type Interfaces, settings } from '@oclif/core'
import { TOPICS } from '../commands/index.ts'
import { readPackageInfo } from './package-info.ts'

/** What oclif would read from package.json, given by program: source and compiled package differ in paths only. */
export function createOclifOptions(commands?: Interfaces.PJSON['oclif']['commands']): Interfaces.Options {
  // Node strips the types itself; oclif must not look for a transpiler.
  settings.enableAutoTranspile = false
  const { root, name, version, description } = readPackageInfo()
  return {
    root,
    version,
    ignoreManifest: true,
    userPlugins: false,
    devPlugins: false,
    jitPlugins: false,
    pjson: {
      name,
      version,
      description,
      oclif: {
        bin: 'maki',
        description,
        topicSeparator: ' ',
        topics: Object.fromEntries(Object.entries(TOPICS).map(([topic, text]) => [topic, { description: text }])),
        ...(commands === undefined ? {} : { commands }),
      },
    },
  }
}
