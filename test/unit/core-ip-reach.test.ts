/** How far addresses reach, and to whom they may be told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Reach, reaches, reachOfIp } from '../../src/core/ip-reach.ts'

test('an address reaches this machine, the networks around it, or the world', () => {
  const table: [string, Reach | undefined][] = [
    ['127.0.0.1', 'machine'],
    ['127.255.0.3', 'machine'],
    ['::1', 'machine'],
    ['::ffff:127.0.0.1', 'machine'],
    ['10.1.2.3', 'site'],
    ['172.31.0.1', 'site'],
    ['172.32.0.1', 'world'],
    ['192.168.1.1', 'site'],
    ['100.64.0.1', 'site'],
    ['::ffff:10.0.0.1', 'site'],
    ['fd00::1', 'site'],
    ['198.51.100.1', 'world'],
    ['2001:db8::1', 'world'],
    // the address inside is what is called in the end
    ['64:ff9b::7f00:1', 'machine'],
    ['64:ff9b::10.0.0.1', 'site'],
    ['64:ff9b::c633:6401', 'world'],
    ['2002:7f00:1::1', 'machine'],
    ['2002:c0a8:101::', 'site'],
    ['2002:c633:6401::1', 'world'],
    // nobody's, or on one link alone
    ['0.0.0.0', undefined],
    ['169.254.169.254', undefined],
    ['64:ff9b::a9fe:a9fe', undefined],
    ['255.255.255.255', undefined],
    ['239.192.152.143', undefined],
    ['::', undefined],
    ['fe80::1', undefined],
    ['2001:db8::1%eth0', undefined],
    ['ff15::efc0:988f', undefined],
    ['localhost', undefined],
    ['1.2.3', undefined],
    ['', undefined],
  ]
  for (const [host, reach] of table) assert.equal(reachOfIp(host), reach, host)
})

test('an address goes no farther than it reaches', () => {
  const all: readonly Reach[] = ['machine', 'site', 'world']
  const told = (link: Reach): Reach[] => all.filter((address) => reaches(address, link))
  assert.deepEqual([told('machine'), told('site'), told('world')], [[...all], ['site', 'world'], ['world']])
  assert.ok(!reaches(undefined, 'machine') && !reaches('world', undefined))
})
