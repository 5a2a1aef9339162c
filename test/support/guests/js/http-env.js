import { encode, env } from './makiatto.js'

/** Answers with the value of the variable whose name stands behind the `?`. */
export const handler = {
  handleRequest(_ctx, req) {
    const value = env(req.query ?? '')
    return { status: value === undefined ? 404 : 200, headers: [], body: encode(value ?? 'no such variable') }
  },
}
