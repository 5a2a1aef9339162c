import { readFileSync } from 'node:fs'
import t from 'tap'
import { MAX_CONTENT_BYTES } from '../../../../edge/guest-host/wasi/http-content.ts'
import { MAX_FIELDS_BYTES } from '../../../../edge/guest-host/wasi/http-fields.ts'
import { MAX_READ_BYTES } from '../../../../edge/guest-host/wasi/input-stream.ts'
import { CLOCK_STEP_NS, MAX_HANDLES, MAX_HELD_BYTES } from '../../../../edge/guest-host/wasi/instance.ts'
import { MAX_WRITE_BYTES } from '../../../../edge/guest-host/wasi/output-stream.ts'
import { MAX_POLLED } from '../../../../edge/guest-host/wasi/poll.ts'
import { MAX_RANDOM_BYTES } from '../../../../edge/guest-host/wasi/random.ts'
import { MAX_FILE_READ_BYTES } from '../../../../edge/guest-host/wasi/site-files.ts'
import { MAX_ASKS, MAX_BYTES, MAX_READ_ANSWER_BYTES } from '../../../../edge/guests/site-services.ts'

const page = readFileSync(new URL('../../../../docs/sandbox.md', import.meta.url), 'utf8')

const size = (bytes: number) => (bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`)

t.test('the bounds on the page are those of the code', async (t) => {
  for (const [what, bound] of [
    ['handles of one run', MAX_HANDLES.toLocaleString('en')],
    ['bytes of one read of a stream', size(MAX_READ_BYTES)],
    ['and of one write', size(MAX_WRITE_BYTES)],
    ['bytes of one read of a file', size(MAX_FILE_READ_BYTES)],
    ['bytes of one read of a file', size(MAX_READ_ANSWER_BYTES)],
    ['random bytes of one call', size(MAX_RANDOM_BYTES)],
    ['pollables of one poll', MAX_POLLED.toLocaleString('en')],
    ['asks about files in one run', MAX_ASKS.toLocaleString('en')],
    ['bytes of files in one run', size(MAX_BYTES)],
    ['names and values of the fields of a request', size(MAX_FIELDS_BYTES)],
    ['content of a request', size(MAX_CONTENT_BYTES)],
    ['contents of all requests', size(MAX_HELD_BYTES)],
  ] as const) {
    const row = page.split('\n').find((line) => line.startsWith('|') && line.includes(what))
    t.ok(row?.split('|')[2]?.trim() === bound, `${what}: ${bound}`)
  }
  t.match(page, `the monotonic clock by ${CLOCK_STEP_NS / 1000n} microseconds`)
})
