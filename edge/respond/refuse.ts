import type { HeaderFields, Plan } from './plan.ts'

const REASONS = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  410: 'Gone',
  412: 'Precondition Failed',
  416: 'Range Not Satisfiable',
  421: 'Misdirected Request',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
} as const

/** A plain error page of one line, with nothing of the request in it. */
export function refuse(request: { readonly method: string }, status: keyof typeof REASONS, base: HeaderFields): Plan {
  const text = `${status} ${REASONS[status]}\n`
  const headers = {
    ...base,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(text.length),
    'cache-control': 'no-store',
  }
  return { status, headers, body: request.method === 'HEAD' ? { kind: 'none' } : { kind: 'text', text } }
}
