import type { HeaderFields, Plan } from './plan.ts'

/** What of a node its answers say. */
export function describeNode({ node, serverHeaders }: { node: string; serverHeaders?: boolean | undefined }): {
  'makiatto-node'?: string
} {
  return serverHeaders === false ? {} : { 'makiatto-node': node }
}

export type RefusalStatus = keyof typeof REASONS

const REASONS = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
} as const

/** A plain error page of one line, with nothing of the request in it. */
export function refuse(request: { readonly method: string }, status: RefusalStatus, base: HeaderFields): Plan {
  return explain(request, status, `${status} ${REASONS[status]}`, base)
}

/** A refusal that says why, for whoever wrote the URL. `reason` is one line of ASCII, with nothing of the request in it. */
export function explain(
  request: { readonly method: string },
  status: number,
  reason: string,
  base: HeaderFields,
): Plan {
  const text = `${reason}\n`
  const headers = {
    ...base,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(text.length),
    'cache-control': 'no-store',
  }
  return { status, headers, body: request.method === 'HEAD' ? { kind: 'none' } : { kind: 'text', text } }
}
