import { readFileSync } from 'node:fs'
import { readWit, type World } from '../../edge/index.ts'

/** Languages that a component can be begun in. */
export const LANGUAGES = ['js', 'ts', 'rust'] as const

export type Language = (typeof LANGUAGES)[number]

export interface ProjectRequest {
  readonly world: World
  readonly language: Language
  /** Lower case, digits and hyphens: a name for npm and for Cargo. */
  readonly name: string
}

/** Where the component lies when it was built, relative to the project. */
export const BUILT: Readonly<Record<World, string>> = {
  http: 'site/hello.wasm',
  transform: 'site/banner.wasm',
}

/** What builds such a project, to be typed in its folder. */
export function describeBuild({ world, language, name }: ProjectRequest): readonly string[] {
  if (language !== 'rust') return ['npm install', 'npm run build']
  const built = `target/wasm32-wasip2/release/${name.replaceAll('-', '_')}.wasm`
  return ['cargo build --release --target wasm32-wasip2', `cp ${built} ${BUILT[world]}`]
}

/** Files of a project in JavaScript that bind it to its world and to WASI. */
const WASI = ['wasi-cli', 'wasi-filesystem', 'wasi-io'] as const

/** The files of a project that builds one component, by their paths. Its site shows the component with `maki dev`. */
export function buildProject({ world, language, name }: ProjectRequest): ReadonlyMap<string, string> {
  const fill = (text: string): string =>
    text
      .replaceAll('{{name}}', name)
      .replaceAll('{{crate}}', name.replaceAll('-', '_'))
      .replaceAll('{{output}}', BUILT[world])
  const own = (file: string): string => fill(readTemplate(`${world}/${file}`))
  const shared = (file: string): string => fill(readTemplate(`shared/${file}`))
  const common: [string, string][] = [
    ['.gitignore', shared('gitignore.template')],
    ['README.md', shared(`readme-${language}.md.template`)],
    ['makiatto.toml', own('makiatto.toml.template')],
    ['site/index.html', own('index.html')],
  ]
  switch (language) {
    case 'js':
      return new Map([
        ...common,
        ['package.json', shared('package-js.json.template')],
        ['src/index.js', own('js/src/index.js.template')],
        ...buildBindings(world),
      ])
    case 'ts':
      return new Map([
        ...common,
        ['package.json', shared('package-ts.json.template')],
        ['tsconfig.json', shared('tsconfig.json.template')],
        ['src/console.d.ts', shared('console.d.ts.template')],
        ['src/index.ts', own('ts/src/index.ts.template')],
        ...buildBindings(world),
      ])
    case 'rust':
      return new Map([
        ...common,
        ['Cargo.toml', shared('Cargo.toml.template')],
        ['src/lib.rs', own('rust/src/lib.rs')],
        [`wit/${world}.wit`, readWit(world)],
      ])
    default:
      return language satisfies never
  }
}

/**
 * What a project in JavaScript or TypeScript has beside its own code: the WIT that it is built with, and modules in `src/`
 * for text, environment, files and console.
 */
export function buildBindings(world: World): ReadonlyMap<string, string> {
  return new Map([
    ['src/makiatto.js', readTemplate('shared/makiatto.js.template')],
    ['src/world.d.ts', readTemplate(`shared/world-${world}.d.ts.template`)],
    ['wit/world.wit', readTemplate(`wit/world-${world}.wit`)],
    [`wit/deps/makiatto-${world}.wit`, readWit(world)],
    ...WASI.map((name) => [`wit/deps/${name}.wit`, readTemplate(`wit/${name}.wit`)] as const),
  ])
}

/** Names end in `.template` where compilers, linters and npm would take the file for one of this project. */
function readTemplate(path: string): string {
  return readFileSync(new URL(`./templates/${path}`, import.meta.url), 'utf8')
}
