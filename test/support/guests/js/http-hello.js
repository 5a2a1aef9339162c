import { encode } from './makiatto.js'

/** Answers with all that it was told, as JSON. */
export const handler = {
  handleRequest(ctx, req) {
    const body = req.body === null ? null : [...req.body]
    return {
      status: 200,
      headers: [['content-type', 'application/json']],
      body: encode(JSON.stringify({ context: ctx, request: { ...req, body } })),
    }
  },
}
