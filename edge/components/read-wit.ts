import { readFileSync } from 'node:fs'
import type { World } from './component-report.ts'

/** The WIT of a world, as whoever writes components gets it: one package in one file, `http.wit` or `transform.wit`. */
export function readWit(world: World): string {
  return readFileSync(new URL(`./wit/${world}.wit`, import.meta.url), 'utf8')
}
