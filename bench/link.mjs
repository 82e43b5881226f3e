// The round trip of a small request while bulk fills the link, in both directions, over TLS on the loopback.
//   node bench/link.mjs [SECONDS EACH] [PLACE]
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { Agents, percentile, until } from './agents.mjs'
import { freshPlace } from './place.mjs'

const [secondsEach = '5', place = '/dev/shm/tandem-link'] = process.argv.slice(2)
const load = (path) => tsImport(`../src/${path}.ts`, import.meta.url)
const [{ openRemote }, { nodeSockets }, { nodeClock }, { tuneV8 }, { readSecret }, { BytesWriter }, pack] =
  await Promise.all(
    [
      'replica/remote',
      'host/node/sockets',
      'host/node/clock',
      'host/node/v8-flags',
      'config/secret',
      'wire/bytes',
      'wire/pack',
    ].map(load),
  )
// As the agents do.
tuneV8(false)

freshPlace(place)
const beta = join(place, 'beta')
mkdirSync(beta, { recursive: true })
const file = openSync(join(beta, 'large'), 'w')
ftruncateSync(file, 512 << 20)
writeSync(file, 'large')
closeSync(file)
const agents = new Agents(join(place, 'agents'), place, beta, 4800 + (process.pid % 500))
agents.startPeer()
await until(() => agents.log('peer').includes('"listening"'), 20_000, 'the peer to listen')
const never = new AbortController().signal
const remote = await openRemote(
  { sockets: nodeSockets(), clock: nodeClock() },
  {
    kind: 'wss',
    endpoint: { host: '127.0.0.1', port: agents.port },
    secret: readSecret(join(place, 'agents', 'lead', 'lead.key')),
    name: 'tree',
  },
  { agent: 'bench', version: '0', run: 'bench' },
  never,
)
const view = { ignore: [], ignorenot: [], paths: [] }
await remote.open({ pair: 'b'.repeat(32), cursor: undefined, view, create: true, from: '//bench', watch: false })
const [report] = await remote.list(['large'])

await measure('nothing else', async (over) => {
  await until(over, 600_000, 'the end', 50)
  return 0
})
await measure('bulk from the peer', async (over) => {
  let bytes = 0
  while (!over()) {
    const stop = new AbortController()
    const { sizeBytes, props } = report.found
    const want = { want: 0, path: 'large', sizeBytes, mtimeNs: props.mtimeNs, fingerprint: undefined }
    for await (const some of remote.supply([want], stop.signal)) {
      bytes += some.bytes.length
      if (over()) break
    }
    stop.abort()
  }
  return bytes
})
await measure('bulk to the peer', async (over) => {
  let bytes = 0
  const data = new Uint8Array(pack.packBytesMax - pack.itemOverheadBytes)
  for (let position = 0; !over(); position += data.length) {
    const to = new BytesWriter(pack.packBytesMax)
    pack.writeItem(to, { want: 0, position, data, fingerprint: undefined })
    await remote.stage(1, { bytes: to.finish(), props: new Uint8Array(0) })
    bytes += data.length
  }
  return bytes
})
await remote.close()
agents.peer.kill('SIGTERM')
await agents.peer.gone
rmSync(place, { recursive: true, force: true })

async function measure(what, bulk) {
  const endMs = performance.now() + Number(secondsEach) * 1_000
  const over = () => performance.now() > endMs
  const flowing = bulk(over)
  const trips = []
  while (!over()) {
    const begun = performance.now()
    await remote.list(['none'])
    trips.push(performance.now() - begun)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const rate = (await flowing) / 1e6 / Number(secondsEach)
  const at = (share) => `${percentile(trips, share).toFixed(2)} ms`
  console.log(
    `${what}: ${rate.toFixed(0)} MB/s; a small request p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} of ${trips.length}`,
  )
}
