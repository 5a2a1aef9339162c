import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isIgnored, watchFiles } from '../../../cli/dev/watch-files.ts'

t.test('what no sync reads is not watched', async (t) => {
  const roots = ['/p/makiatto.toml', '/p/site']
  const excluded = ['/p/site/.data', '/p/cluster']
  for (const path of [
    '/p/site',
    '/p/site/a.html',
    '/p/site/.well-known/x',
    '/p/makiatto.toml',
    '/p/site/b/node_modules.md',
  ]) {
    t.notOk(isIgnored(path, roots, excluded), path)
  }
  for (const path of [
    '/p/site/.git/HEAD',
    '/p/site/a/.DS_Store',
    '/p/site/node_modules/x/y.js',
    '/p/cluster/node1',
    '/p/cluster',
  ]) {
    t.ok(isIgnored(path, roots, excluded), path)
  }
  t.notOk(isIgnored('/home/.hidden/site/a.html', ['/home/.hidden/site'], []), 'a site may lie in a hidden folder')
  t.notOk(isIgnored('/p/.a/site/x', ['/p', '/p/.a/site'], []), 'the nearer root decides')
})

t.test('changes, new files, new folders, replaced and removed files are told', async (t) => {
  const folder = t.testdir({
    'makiatto.toml': '',
    site: { 'index.html': 'one', sub: { 'page.html': 'x' } },
    other: { 'a.html': '' },
  })
  const path = (...names: string[]) => join(folder, ...names)
  let changed = Promise.withResolvers<void>()
  const told = async (act: () => void, what: string): Promise<void> => {
    changed = Promise.withResolvers()
    act()
    await changed.promise
    t.pass(what)
  }
  await using watcher = await watchFiles({
    paths: [path('makiatto.toml'), path('site')],
    excluded: [],
    onChange: () => changed.resolve(),
    onError: (error) => changed.reject(error),
  })
  await told(() => writeFileSync(path('site', 'index.html'), 'two'), 'a changed file')
  await told(() => writeFileSync(path('site', 'sub', 'page.html'), 'yy'), 'a changed file below')
  await told(() => writeFileSync(path('site', 'new.html'), ''), 'a new file')
  await told(() => mkdirSync(path('site', 'fresh')), 'a new folder')
  await told(() => writeFileSync(path('site', 'fresh', 'a.html'), ''), 'a file in a new folder')
  await told(() => {
    writeFileSync(path('draft.toml'), 'project = "x"')
    renameSync(path('draft.toml'), path('makiatto.toml'))
  }, 'a file that an editor replaced')
  await told(() => renameSync(path('site'), path('away')), 'a folder that is gone')
  await told(() => renameSync(path('away'), path('site')), 'and is back')
  await watcher.set([path('makiatto.toml'), path('other')])
  await told(() => writeFileSync(path('other', 'b.html'), ''), 'a folder that is new in the project')
})
