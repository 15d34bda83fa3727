/**
 * The scenarios by name. No scheduler is told what its links can carry: capacities are learnt in all of them, from
 * nothing, as in the field.
 */
import type { Wire } from '../swarm/events.ts'
import type { Conduct } from './conduct.ts'
import { type Group, MBIT, MIB, type Scenario } from './scenario.ts'

const FAST = { up: 100 * MBIT, down: 400 * MBIT }
const SLOW = { up: 10 * MBIT, down: 400 * MBIT }
const HALF = { up: 50 * MBIT, down: 200 * MBIT }
const EQUAL = { up: 100 * MBIT, down: 100 * MBIT }

/** Everyone at 100 Mbit/s up and 400 down, at once, 20 ms apart. */
const PLAIN = {
  pieceSize: MIB,
  seeder: FAST,
  arrivals: { type: 'together' },
  neighbours: 50,
  latency: 20,
} as const

const many = (count: number, link: { up: number; down: number }, conduct?: Conduct): Group =>
  conduct === undefined ? { count, ...link } : { count, ...link, conduct }

const on = (wire: Wire, group: Group): Group => ({ ...group, wire })

/** Flash crowds of the published comparison: everyone at once, and stays. */
const CROWDS = {
  '8x128': {
    ...PLAIN,
    about: '8 leechers, 128 MiB',
    pieces: 128,
    leechers: [many(8, FAST)],
  },
  '8x128-slow4': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, 4 of them with 10 Mbit/s up',
    pieces: 128,
    leechers: [many(4, FAST), many(4, SLOW)],
  },
  '16x256': {
    ...PLAIN,
    about: '16 leechers, 256 MiB',
    pieces: 256,
    leechers: [many(16, FAST)],
  },
  '64x512-30': {
    ...PLAIN,
    about: '64 leechers, 512 MiB, 30 neighbours each',
    pieces: 512,
    leechers: [many(64, FAST)],
    neighbours: 30,
  },
  '8x32': {
    ...PLAIN,
    about: '8 leechers, 32 MiB',
    pieces: 32,
    leechers: [many(8, FAST)],
  },
  'equal-links': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, downlinks like uplinks',
    pieces: 128,
    leechers: [many(8, EQUAL)],
  },
  'equal-links-8x32': {
    ...PLAIN,
    about: '8 leechers, 32 MiB, downlinks like uplinks',
    pieces: 32,
    leechers: [many(8, EQUAL)],
  },
  'half-half': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, 4 of them with downlinks like uplinks',
    pieces: 128,
    leechers: [many(4, FAST), many(4, EQUAL)],
  },
  'thin-downlinks': {
    ...PLAIN,
    about: '8 leechers, 64 MiB, 4 of them with 20 Mbit/s both ways',
    pieces: 64,
    leechers: [many(4, FAST), many(4, { up: 20 * MBIT, down: 20 * MBIT })],
  },
  '100ms': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, 100 ms apart',
    pieces: 128,
    leechers: [many(8, FAST)],
    latency: 100,
  },
  '100ms-equal': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, 100 ms apart, downlinks like uplinks',
    pieces: 128,
    leechers: [many(8, EQUAL)],
    latency: 100,
  },
  'flash-1000': {
    ...PLAIN,
    about: '1,000 leechers, 1 GiB, downlinks of 400 Mbit/s',
    pieces: 1024,
    leechers: [many(1000, FAST)],
    partBytes: 512 << 10,
    big: true,
  },
} satisfies Record<string, Scenario>

const STAGGERED = {
  ...PLAIN,
  about: '10 leechers, 96 MiB, one a second, 3 with 10 Mbit/s up, each leaving when it is done',
  pieces: 96,
  leechers: [
    { ...many(7, FAST), leavesWhenComplete: true },
    { ...many(3, SLOW), leavesWhenComplete: true },
  ],
  arrivals: { type: 'every', ms: 1000 },
} satisfies Scenario

/** Peers come and go. */
const TRAFFIC = {
  poisson: {
    ...PLAIN,
    about: '100 leechers, 512 MiB, arriving at random over the length of a download',
    pieces: 512,
    leechers: [many(100, FAST)],
    arrivals: { type: 'poisson', ms: 425 },
  },
  'leave-on-completion': {
    ...PLAIN,
    about: '64 leechers, 512 MiB, half of them leaving when they are done',
    pieces: 512,
    leechers: [many(32, FAST), { ...many(32, FAST), leavesWhenComplete: true }],
  },
  'seeder-leaves': {
    ...PLAIN,
    about: '64 leechers, 512 MiB, the seeder leaves when it has sent 1.1 copies',
    pieces: 512,
    seeder: { ...FAST, leavesAtCopies: 1.1 },
    leechers: [many(64, FAST)],
  },
  staggered: STAGGERED,
  churn: {
    ...PLAIN,
    about: '64 leechers, 256 MiB, 2 to 150 ms apart, 16 of them leaving at random times',
    pieces: 256,
    leechers: [many(64, FAST)],
    latency: { least: 2, most: 150 },
    departures: { every: 1000, most: 16 },
  },
} satisfies Record<string, Scenario>

/** Peers that do not do as they should, and links that do not. */
const TROUBLE = {
  'free-riders-20': {
    ...PLAIN,
    about: '60 leechers, 512 MiB, 12 of them free riders',
    pieces: 512,
    leechers: [many(48, FAST), many(12, FAST, 'free-rider')],
  },
  'free-riders-0': {
    ...PLAIN,
    about: 'free-riders-20 without its free riders',
    pieces: 512,
    leechers: [many(48, FAST)],
  },
  'liars-10': {
    ...PLAIN,
    about: '60 leechers, 512 MiB, 6 of them saying that they have everything, and sending nothing',
    pieces: 512,
    leechers: [many(54, FAST), many(6, FAST, 'liar')],
  },
  'corrupt-10': {
    ...PLAIN,
    about: '60 leechers, 512 MiB, 6 of them sending wrong bytes',
    pieces: 512,
    leechers: [many(54, FAST), many(6, FAST, 'corrupt')],
  },
  partition: {
    ...PLAIN,
    about: '32 leechers, 512 MiB, in two halves that do not reach each other from 11 to 34 s',
    pieces: 512,
    leechers: [many(32, FAST)],
    partition: { from: 11_000, to: 34_000 },
  },
  stalls: {
    ...PLAIN,
    about: '16 leechers, 256 MiB, every second something from one peer to another stands still for 5 s',
    pieces: 256,
    leechers: [many(16, FAST)],
    stalls: { of: 'lane', every: 1000, lasts: 5000 },
  },
  pauses: {
    ...PLAIN,
    about: '16 leechers, 256 MiB, every 4 s the links of one stand still for 3 s',
    pieces: 256,
    leechers: [many(16, FAST)],
    stalls: { of: 'peer', every: 4000, lasts: 3000 },
  },
} satisfies Record<string, Scenario>

/** Peers that pull, on the wires of others. */
const WIRES = {
  'mixed-bitswap': {
    ...PLAIN,
    about: '16 leechers, 256 MiB, 8 of them on Bitswap',
    pieces: 256,
    leechers: [many(8, FAST), on('bitswap', many(8, FAST))],
  },
  'all-bitswap': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, all on Bitswap',
    pieces: 128,
    leechers: [on('bitswap', many(8, FAST))],
  },
  'bittorrent-pullers': {
    ...PLAIN,
    about: '16 leechers, 256 MiB, 8 of them on BitTorrent',
    pieces: 256,
    leechers: [many(8, FAST), on('bittorrent', many(8, FAST))],
  },
  'all-bittorrent': {
    ...PLAIN,
    about: '8 leechers, 128 MiB, all on BitTorrent',
    pieces: 128,
    leechers: [on('bittorrent', many(8, FAST))],
  },
  'many-pullers': {
    ...PLAIN,
    about: '40 leechers on BitTorrent, 256 MiB, 8 of them free riders',
    pieces: 256,
    leechers: [on('bittorrent', many(32, FAST)), on('bittorrent', many(8, FAST, 'free-rider'))],
  },
  'stalls-bittorrent': {
    ...PLAIN,
    about: '16 leechers on BitTorrent, 256 MiB, every second something stands still for 5 s',
    pieces: 256,
    leechers: [on('bittorrent', many(16, FAST))],
    stalls: { of: 'lane', every: 1000, lasts: 5000 },
  },
} satisfies Record<string, Scenario>

/** The cases of the benchmark over a real network, as close as a simulation gets: peers on one machine. */
const LAN = {
  '8x128-lan': {
    ...CROWDS['8x128'],
    about: '8 leechers, 128 MiB, 1 ms apart',
    latency: 1,
  },
  '8x128-slow4-lan': {
    ...CROWDS['8x128-slow4'],
    about: '8 leechers, 128 MiB, 4 of them with 10 Mbit/s up, 1 ms apart',
    latency: 1,
  },
  '8x128-equal-lan': {
    ...CROWDS['equal-links'],
    about: '8 leechers, 128 MiB, downlinks like uplinks, 1 ms apart',
    latency: 1,
  },
  '16x256-half-lan': {
    ...PLAIN,
    about: '16 leechers, 256 MiB, 50 Mbit/s up and 200 down, 1 ms apart',
    pieces: 256,
    seeder: HALF,
    leechers: [many(16, HALF)],
    latency: 1,
  },
  'staggered-lan': {
    ...STAGGERED,
    about: `${STAGGERED.about}, 1 ms apart`,
    latency: 1,
  },
} satisfies Record<string, Scenario>

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...CROWDS,
  ...TRAFFIC,
  ...TROUBLE,
  ...WIRES,
  ...LAN,
}
