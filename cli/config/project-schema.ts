import * as v from 'valibot'
import { parseHostname } from '../../core/index.ts'
import { filled, parsedBy, secretTable, whole } from './values.ts'

const host = parsedBy(parseHostname)

const component = {
  path: filled(),
  env: v.optional(secretTable, {}),
  /** Relative to the project's folder, outside what is published. */
  env_file: v.optional(filled()),
  timeout_ms: v.optional(whole(1, 30_000)),
  max_memory_mb: v.optional(whole(1, 512)),
}

export const recordSchema = v.object({
  type: v.pipe(
    v.string(),
    v.trim(),
    v.toUpperCase(),
    v.regex(/^[A-Z][A-Z0-9]{0,15}$/, 'a record type is expected, like A, MX or TYPE65280'),
  ),
  name: v.optional(filled(255), '@'),
  value: v.optional(v.string()),
  /** The addresses of the nodes in place of a value. */
  geo: v.optional(v.boolean(), false),
  /** Seconds; RFC 2181 section 8 bounds a TTL to 31 bits. */
  ttl: v.optional(whole(0, 0x7fff_ffff), 300),
  priority: v.optional(whole(0, 65535)),
})

/** `makiatto.toml` as it is written; what depends on more than one key is checked in `project-config.ts`. */
export const projectSchema = v.object({
  project: v.optional(
    v.pipe(
      filled(100),
      v.check((text) => !/\p{Cc}/u.test(text), 'it has a control character'),
    ),
  ),
  domain: v.optional(
    v.array(
      v.object({
        name: host,
        path: v.optional(filled(4096)),
        aliases: v.optional(v.array(host), []),
        spa: v.optional(v.boolean(), false),
        on_concurrent: v.optional(v.picklist(['latest', 'merge']), 'latest'),
        previews: v.optional(v.boolean(), true),
        redirect: v.optional(
          v.pipe(
            v.string(),
            v.maxLength(2000, 'it is longer than 2000 characters'),
            v.check(isWebAddress, 'an address is expected, like "https://example.com"'),
          ),
        ),
        records: v.optional(v.array(recordSchema), []),
        functions: v.optional(v.array(v.object({ ...component, methods: v.optional(v.array(filled(20))) })), []),
        transforms: v.optional(
          v.array(v.object({ ...component, files: filled(), max_file_size_kb: v.optional(whole(1)) })),
          [],
        ),
      }),
    ),
    [],
  ),
})

export type ProjectFile = v.InferOutput<typeof projectSchema>
export type DomainTable = ProjectFile['domain'][number]
export type RecordTable = v.InferOutput<typeof recordSchema>

function isWebAddress(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.hostname !== ''
}
