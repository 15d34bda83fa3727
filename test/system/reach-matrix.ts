/**
 * Which kinds of home reach which, measured on the small internet and written into docs/reach.md. As root:
 *
 *     npm run reach                 all pairs, 40 meetings of two cone routers, and links that lose packets
 *     npm run reach -- --print      the same, printed only
 */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Distance, KINDS, type Kind, LINK_BITS } from './internet/internet.ts'
import { goneDirect, hand, type Meeting, meet, Place, settled } from './internet/meeting.ts'
import type { Node } from './internet/node.ts'

const PAGE = new URL('../../docs/reach.md', import.meta.url)

/** The table stands between these. */
const BEGIN = '<!-- measured -->'
const END = '<!-- end -->'

const CONES: readonly [Kind, Kind] = ['port-restricted', 'port-restricted']

/** Across a continent and back takes 40 ms. */
const CLEAN: Distance = { ms: 20, loss: 0 }
const LOSSY: Distance = { ms: 20, loss: 0.01 }
const LOSSY_SEEDERS = [1, 2, 4, 8]

/** Enough that the beginnings of the connections count for little. */
const LOSSY_BYTES = 16 << 20

const { values } = parseArgs({
  options: { print: { type: 'boolean', default: false }, runs: { type: 'string', default: '40' } },
})

async function main(): Promise<void> {
  const place = await Place.open()
  try {
    const cells = await matrix(place)
    const cones = await coneMeetings(place, Number(values.runs))
    const text = [table(cells), cones, await losses(place)].join('\n\n')
    console.log(text)
    if (!values.print) await publish(text)
  } finally {
    await place.close()
  }
}

async function matrix(place: Place): Promise<Map<string, Meeting>> {
  const seeders = new Map<Kind, Node>()
  const leechers = new Map<Kind, Node>()
  for (const kind of KINDS) {
    seeders.set(kind, await place.add(kind))
    leechers.set(kind, await place.add(kind))
  }
  const cells = new Map<string, Meeting>()
  for (const [from, seeder] of seeders) {
    await settled(seeder)
    for (const [to, leecher] of leechers) {
      const meeting = await meet(seeder, leecher)
      console.error(`${from} -> ${to}: ${cell(meeting)}`)
      cells.set(`${from} ${to}`, meeting)
    }
  }
  for (const node of [...seeders.values(), ...leechers.values()]) await node.stop()
  return cells
}

/** Each time both are strangers again. */
async function coneMeetings(place: Place, runs: number): Promise<string> {
  const [seeder, leecher] = [await place.add(CONES[0]), await place.add(CONES[1])]
  let direct = 0
  for (let run = 0; run < runs; run++) {
    await settled(seeder)
    const { way } = await meet(seeder, leecher)
    const { peerId } = await seeder.client.id()
    if (way === 'direct' || (await goneDirect(leecher, peerId))) direct++
    console.error(`cones, run ${run + 1}: ${way}`)
    for (const node of [leecher, seeder]) {
      await node.stop()
      await node.start()
    }
  }
  return `Two port-restricted routers: ${direct} of ${runs} meetings went on directly.`
}

/** What one connection carries of which packets are lost, and several. */
async function losses(place: Place): Promise<string> {
  const leecher = await place.add('public')
  const megabits = async (distance: Distance, count: number): Promise<string> => {
    const seeders: Node[] = []
    while (seeders.length < count) seeders.push(await place.add('public', distance))
    const rate = ((await hand(seeders, leecher, LOSSY_BYTES)) * LINK_BITS) / 1e6
    for (const seeder of seeders) await seeder.stop()
    console.error(`${count} seeders, ${distance.loss} lost: ${rate.toFixed(1)} Mbit/s`)
    return `${count} | ${100 * distance.loss} % | ${rate.toFixed(1)}`
  }
  const rows = ['seeders | packets lost | Mbit/s', '---: | ---: | ---:', await megabits(CLEAN, 1)]
  for (const count of LOSSY_SEEDERS) rows.push(await megabits(LOSSY, count))
  await leecher.stop()
  return rows.map((row) => `| ${row} |`).join('\n')
}

function table(cells: ReadonlyMap<string, Meeting>): string {
  const rows = KINDS.map((from) => [from, ...KINDS.map((to) => cell(cells.get(`${from} ${to}`)))])
  const lines = [['seeder \\ leecher', ...KINDS], KINDS.map(() => '---').concat('---'), ...rows]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** `direct, 0.8 s, 92 %` */
function cell(meeting: Meeting | undefined): string {
  if (meeting === undefined || meeting.way === 'none') return 'none'
  return `${meeting.way}, ${meeting.firstSeconds.toFixed(1)} s, ${Math.round(100 * meeting.share)} %`
}

async function publish(text: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8')
  const [before = '', rest = ''] = page.split(BEGIN)
  const [, after = ''] = rest.split(END)
  await writeFile(PAGE, `${before}${BEGIN}\n\n${text}\n\n${END}${after}`)
}

await main()
