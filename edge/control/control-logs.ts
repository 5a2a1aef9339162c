import { MakiError } from '../../core/index.ts'

/** Which lines of a log are wanted; all where nothing is said. */
export interface LogFilter {
  readonly domain?: string | undefined
  /** A function or a transform: the path of its component (`api/hello.wasm`), or for a function a path that leads to it. */
  readonly function?: string | undefined
}

export interface LogQuery extends LogFilter {
  /** A cursor of this node: only what came later. Of a node that was started anew since: all that it has. */
  readonly after?: string | undefined
}

/** A line of a node's log. */
export interface KeptLine {
  /** Pass it back to get what came later. */
  readonly cursor: string
  /** `time` (ISO 8601), `level`, `event`, and data. */
  readonly line: Readonly<Record<string, unknown>>
}

/** The last lines of a node's log, as much as is kept of them. */
export interface ControlLogs {
  /** What is kept and fits, oldest first. */
  read(query: LogQuery): readonly KeptLine[]
  /** Calls for every line that fits from now on, until the returned function is called. */
  follow(filter: LogFilter, listener: (line: KeptLine) => void): () => void
}

/** Answer to GET /v1/logs. */
export interface LogReport {
  readonly lines: readonly KeptLine[]
}

/** The query of a request, by its parameters. Throws MAKI_INVALID. */
export function parseLogQuery(find: (name: string) => string | undefined): LogQuery & { readonly follow: boolean } {
  const follow = find('follow') ?? '0'
  if (follow !== '0' && follow !== '1') throw new MakiError('MAKI_INVALID', 'the parameter follow is 0 or 1')
  return { domain: find('domain'), function: find('function'), after: find('after'), follow: follow === '1' }
}

/** A line as a server-sent event (WHATWG HTML section 9.2), with its cursor as the id. */
export const formatLogEvent = ({ cursor, line }: KeptLine): string =>
  `id: ${cursor}\nevent: line\ndata: ${JSON.stringify(line)}\n\n`
