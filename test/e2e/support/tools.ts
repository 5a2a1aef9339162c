import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { MAKI, ROOT, type Scene } from './scene.ts'

/**
 * The environment of a terminal that has `maki`, and an `npm` that installs what this checkout has, without asking anybody:
 * a package that is not here, or is here in another version, is an error.
 */
export function provideTools(scene: Scene): NodeJS.ProcessEnv {
  const folder = scene.path('bin')
  mkdirSync(folder)
  symlinkSync(MAKI, join(folder, 'maki'))
  const modules = join(ROOT, 'node_modules')
  const install = join(folder, 'install.mjs')
  writeFileSync(install, buildInstall(modules))
  const npm = join(folder, 'npm')
  writeFileSync(
    npm,
    `#!/bin/sh
PATH=$(echo "$PATH" | sed 's#^[^:]*:##')
if [ "$1" = install ]; then exec node '${install}'; fi
npm_config_offline=true npm_config_update_notifier=false exec npm "$@"
`,
  )
  chmodSync(npm, 0o755)
  const env = Object.fromEntries(Object.entries(scene.env).filter(([name]) => !/^npm_/i.test(name)))
  return { ...env, PATH: `${folder}${delimiter}${env.PATH ?? ''}` }
}

const buildInstall = (modules: string): string => `
import { readFileSync, symlinkSync } from 'node:fs'
const read = (path) => JSON.parse(readFileSync(path, 'utf8'))
for (const [name, version] of Object.entries(read('package.json').devDependencies ?? {})) {
  const found = read(\`${modules}/\${name}/package.json\`).version
  if (found !== version) throw new Error(\`\${name} is here in version \${found}, and not in \${version}\`)
}
symlinkSync('${modules}', 'node_modules')
console.log('added what is here already')
`
