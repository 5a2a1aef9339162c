import './makiatto.js'

/** Says what it is about to do, and fails with a secret in its words. */
export const handler = {
  handleRequest(_ctx, req) {
    console.error('about to fail at', req.path)
    throw new Error('the password is hunter2')
  },
}
