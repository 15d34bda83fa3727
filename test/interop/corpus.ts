/** What is given from program to program: files and trees of every kind. With `INTEROP=full` the long ones are at full length. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Profile } from '../../src/content/profile.ts'
import { MIB, writeNoise } from '../e2e/trees.ts'

const FULL = process.env.INTEROP === 'full'

/** 1 GiB takes a minute a way, and 10,000 files take kubo minutes. */
const LONG_FILE = FULL ? 1024 * MIB : 64 * MIB
const MANY_FILES = FULL ? 10_000 : 2_000

type Make = (path: string, seed: number) => Promise<void>

const FEW: Readonly<Record<string, Make>> = {
  'a file of 1 KiB': (path, seed) => writeNoise(path, 1024, seed),
  'a file of 1 MiB': (path, seed) => writeNoise(path, MIB, seed),
  'names, symlinks, empty files and directories, files twice': oddities,
  [`a file of ${LONG_FILE / MIB} MiB`]: (path, seed) => writeNoise(path, LONG_FILE, seed),
}

const MANY: Readonly<Record<string, Make>> = {
  [`a tree of ${MANY_FILES} files`]: (path, seed) => manyFiles(path, seed),
  'a directory of 5,500 entries': wideDirectory,
}

/** Trees of many files take the other programs most of the time, and differ by the profile in nothing that the few do not show. */
export const corpusOf = (profile: Profile): Readonly<Record<string, Make>> =>
  FULL || profile === 'unixfs-v1-2025' ? { ...FEW, ...MANY } : FEW

/** Files of 1 KiB in directories of a hundred. */
export async function manyFiles(path: string, seed: number, count = MANY_FILES): Promise<void> {
  await mkdir(path)
  for (let at = 0; at < count; at++) {
    const directory = join(path, String(Math.floor(at / 100)))
    if (at % 100 === 0) await mkdir(directory)
    await writeFile(join(directory, String(at)), `${seed} ${at} `.padEnd(1024, '.'))
  }
}

/** So wide that it is sharded. */
async function wideDirectory(path: string, seed: number): Promise<void> {
  await mkdir(path)
  for (let at = 0; at < 5_500; at++) {
    const name = `entry ${at} of a directory that is sharded`
    await writeFile(join(path, name), String(at % 40 === 0 ? `${seed} ${at}` : seed))
  }
}

export async function oddities(path: string, seed: number): Promise<void> {
  await mkdir(join(path, 'a b', 'ünïcødé'), { recursive: true })
  await mkdir(join(path, 'empty directory'))
  await writeFile(join(path, 'empty'), '')
  await writeNoise(join(path, 'a b', 'file'), 3 * MIB + 7, seed)
  await writeNoise(join(path, 'a b', 'ünïcødé', 'the same'), 3 * MIB + 7, seed)
  await writeFile(join(path, 'zeros'), Buffer.alloc(5 * MIB))
  await symlink('../zeros', join(path, 'a b', 'link'))
  await symlink('nowhere', join(path, 'dangling'))
}
