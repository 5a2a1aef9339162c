/** To be loaded with `--import`: writes what a program has loaded, a URL a line, to the file that MODULE_LIST names, when it ends. */
import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const loaded = new Set<string>()
registerHooks({
  load(url, context, nextLoad) {
    loaded.add(url)
    return nextLoad(url, context)
  },
})
process.on('exit', () => writeFileSync(process.env.MODULE_LIST ?? '', [...loaded].join('\n')))
