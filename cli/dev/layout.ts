import { join } from 'node:path'
import { MakiError, type NodeName, parseNodeName } from '../../core/index.ts'

/** What a person asks of `maki dev`. */
export interface ClusterShape {
  readonly nodes: number
  readonly httpPort: number
  readonly dnsPort: number
  /** HTTPS is served too. */
  readonly tls?: boolean
}

/** Where one node of a local cluster listens and keeps its things; every port on 127.0.0.1. */
export interface NodeLayout {
  readonly name: NodeName
  readonly httpPort: number
  /** Undefined where no HTTPS is served. */
  readonly httpsPort: number | undefined
  /** UDP and TCP. */
  readonly dnsPort: number
  readonly gossipPort: number
  readonly blobsPort: number
  /** Degrees; nodes stand in different places, so that a choice by distance can be tried. */
  readonly place: { readonly latitude: number; readonly longitude: number }
  /** Absolute. */
  readonly folder: string
  readonly config: string
  readonly dataDirectory: string
  readonly log: string
}

export const LOOPBACK = '127.0.0.1'
/** HTTPS, gossip and blobs follow HTTP at these distances; so many nodes fit between them. */
const HTTPS_OFFSET = 100
const GOSSIP_OFFSET = 200
const BLOBS_OFFSET = 300
export const MAX_NODES = 100
const MAX_PORT = 65_535

/** Amsterdam, New York, Singapore, São Paulo, Sydney, Johannesburg, San Francisco, Tokyo, then again. */
const PLACES = [
  [52.37, 4.9],
  [40.71, -74.01],
  [1.35, 103.82],
  [-23.55, -46.63],
  [-33.87, 151.21],
  [-26.2, 28.05],
  [37.77, -122.42],
  [35.68, 139.69],
] as const

/** Throws MAKI_USAGE for numbers that leave no room for each other. */
export function planNodes(shape: ClusterShape, dataFolder: string): readonly NodeLayout[] {
  checkCount(shape.nodes)
  checkPorts(shape)
  return Array.from({ length: shape.nodes }, (_, i) => {
    const name = nodeNameAt(i)
    const folder = join(dataFolder, name)
    return {
      name,
      httpPort: shape.httpPort + i,
      httpsPort: shape.tls === true ? shape.httpPort + HTTPS_OFFSET + i : undefined,
      dnsPort: shape.dnsPort + i,
      gossipPort: shape.httpPort + GOSSIP_OFFSET + i,
      blobsPort: shape.httpPort + BLOBS_OFFSET + i,
      place: placeAt(i),
      folder,
      config: join(folder, 'makiatto.toml'),
      dataDirectory: join(folder, 'data'),
      log: join(folder, 'node.log'),
    }
  })
}

const nodeNameAt = (i: number): NodeName => parseNodeName(`node${i + 1}`)

function placeAt(i: number): NodeLayout['place'] {
  const [latitude, longitude] = PLACES[i % PLACES.length] as (typeof PLACES)[number]
  return { latitude, longitude }
}

function checkCount(nodes: number): void {
  if (Number.isInteger(nodes) && nodes >= 1 && nodes <= MAX_NODES) return
  throw new MakiError('MAKI_USAGE', `--nodes ${nodes} is not possible: a local cluster has 1 to ${MAX_NODES} nodes`, {
    hint: 'maki dev --nodes 3',
  })
}

function checkPorts({ nodes, httpPort, dnsPort, tls = false }: ClusterShape): void {
  const ranges = [
    { flag: '--http-port', port: httpPort, last: httpPort + BLOBS_OFFSET + nodes - 1 },
    { flag: '--dns-port', port: dnsPort, last: dnsPort + nodes - 1 },
  ]
  for (const { flag, port, last } of ranges) {
    if (Number.isInteger(port) && port >= 1 && last <= MAX_PORT) continue
    const highest = MAX_PORT - (last - port)
    throw new MakiError(
      'MAKI_USAGE',
      `${flag} ${port} is not possible with ${nodes} nodes: it goes from 1 to ${highest}`,
      {
        hint: 'maki dev --http-port 8080 --dns-port 5300',
      },
    )
  }
  const https = tls ? [httpPort + HTTPS_OFFSET] : []
  // The ranges of HTTP, gossip and blobs cannot meet each other; the one of DNS can meet any of them.
  for (const base of [httpPort, ...https, httpPort + GOSSIP_OFFSET, httpPort + BLOBS_OFFSET]) {
    if (dnsPort + nodes <= base || base + nodes <= dnsPort) continue
    throw new MakiError('MAKI_USAGE', `the ports from ${dnsPort} for DNS and from ${base} for the rest overlap`, {
      hint: `maki dev --http-port ${httpPort} --dns-port ${Math.min(httpPort + 1000, MAX_PORT - nodes)}`,
    })
  }
}
