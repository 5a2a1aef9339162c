import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { connectionLimit } from '../../../cli/node/connection-limit.ts'

t.test('visitors leave open files for the rest of the process', async (t) => {
  for (const files of [64, 256, 1024, 4096, 20_000, 1_048_576]) {
    const connections = connectionLimit(files)
    t.ok(connections >= 16 && connections <= 8192)
    if (files >= 256) t.ok(connections * 2 + 128 <= files || connections === 8192, `${connections} of ${files}`)
  }
})

t.test('the limit is the one of this process', async (t) => {
  const module = new URL('../../../cli/node/connection-limit.ts', import.meta.url).href
  const script = `import(${JSON.stringify(module)}).then((m) => console.log(m.connectionLimit()))`
  const run = (limit: number) =>
    promisify(execFile)('sh', ['-c', `ulimit -n ${limit}; exec "$0" -e '${script}'`, process.execPath])
  t.equal((await run(600)).stdout.trim(), '236')
})
