import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { DAG_PB, RAW, rootKeyOf, SHA2_256 } from '../../src/core/cid.ts'
import type { RootKey } from '../../src/core/types.ts'
import { Announcements, type AnnouncementsContext } from '../../src/node/announcements.ts'

const cidOf = (name: string): CID =>
  CID.createV1(name.startsWith('dir') ? DAG_PB : RAW, create(SHA2_256, hash('sha256', name, 'buffer')))
const rootOf = (name: string): RootKey => rootKeyOf(cidOf(name))

/** Each directory, and the files in it. */
const DIRS = { 'dir one': ['a', 'b', 'c'], 'dir two': ['b', 'c', 'd'] } as const

function bench() {
  const names = new Map(
    [...Object.keys(DIRS), 'a', 'b', 'c', 'd'].map((name) => [cidOf(name).toString(), name]),
  )
  const nameOf = (cid: CID): string => names.get(cid.toString()) ?? '?'
  const filesOf = (root: RootKey): readonly string[] =>
    Object.entries(DIRS).find(([name]) => rootOf(name) === root)?.[1] ?? []
  const told = new Set<string>()
  const paused = new Set<RootKey>()
  const announcing = { wait: Promise.resolve() }
  const context = {
    store: {
      share: (root: RootKey) => ({
        entries: 1 + filesOf(root).length,
        phase: 'complete',
        paused: paused.has(root),
        damaged: [],
      }),
      manifest: async (root: RootKey) => ({
        entries: filesOf(root).map((name) => ({ kind: 'file', cid: cidOf(name) })),
      }),
    },
    routing: {
      announce: async (cid: CID) => {
        told.add(nameOf(cid))
        await announcing.wait
        return { confirmed: true }
      },
      announceMany: async (cids: Iterable<CID>, isWanted: () => boolean) => {
        for (const cid of cids) {
          if (!isWanted()) return
          told.add(nameOf(cid))
          await announcing.wait
        }
      },
      withdraw: async (cid: CID) => void told.delete(nameOf(cid)),
    },
  }
  const announcements = new Announcements(context as unknown as AnnouncementsContext)
  return {
    paused,
    announcing,
    announce: (name: string) => announcements.announce(rootOf(name), () => {}),
    withdraw: (name: string) => announcements.withdraw(rootOf(name)),
    told: () => [...told].sort(),
  }
}

describe('what the DHTs are told of', () => {
  it('is a root with its files, and nothing of them once it is withdrawn', async () => {
    const { announce, withdraw, told } = bench()
    await announce('dir one')
    assert.deepEqual(told(), ['a', 'b', 'c', 'dir one'])
    await withdraw('dir one')
    assert.deepEqual(told(), [])
  })

  it('stays while another share needs it, however often each was announced', async () => {
    const { announce, withdraw, told } = bench()
    for (const name of ['dir one', 'dir two', 'dir one', 'b']) await announce(name)
    await withdraw('dir one')
    assert.deepEqual(told(), ['b', 'c', 'd', 'dir two'])
    await withdraw('dir two')
    assert.deepEqual(told(), ['b'])
    await withdraw('b')
    assert.deepEqual(told(), [])
  })

  it('may be announced again', async () => {
    const { announce, withdraw, told } = bench()
    await announce('dir one')
    await withdraw('dir one')
    await announce('dir one')
    assert.deepEqual(told(), ['a', 'b', 'c', 'dir one'])
  })

  it('is nothing of what is withdrawn meanwhile', async () => {
    const { announce, announcing, withdraw, told } = bench()
    for (const steps of [0, 1, 2, 3, 4]) {
      const announced = announce('dir one')
      for (let step = 0; step < steps; step++) await announcing.wait
      await withdraw('dir one')
      await announced
      assert.deepEqual(told(), [], `after ${steps} steps`)
    }
  })

  it('is the root alone of what was paused meanwhile', async () => {
    const { announce, paused, told } = bench()
    paused.add(rootOf('dir one'))
    await announce('dir one')
    assert.deepEqual(told(), ['dir one'])
  })
})
