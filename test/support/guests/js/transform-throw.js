import './makiatto.js'

/** Fails at every file. */
export const transformer = {
  transform(_ctx, info) {
    console.error('about to fail at', info.path)
    throw new Error('no transform today')
  },
}
