import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ShareError } from '../../src/core/errors.ts'
import { CONFIG_KEYS, configKey, DEFAULT_CONFIG, settingText, withSetting } from '../../src/node/config.ts'
import { loadConfig, saveConfig } from '../../src/node/config-file.ts'

const PEER = '/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
let home = ''

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'share-config-'))
})
after(() => rm(home, { recursive: true }))

test('what each key takes, and how it prints', () => {
  const table: [string, string, unknown, string][] = [
    ['listen', '/ip4/127.0.0.1/tcp/0', ['/ip4/127.0.0.1/tcp/0'], '/ip4/127.0.0.1/tcp/0'],
    [
      'listen',
      '/ip4/1.2.3.4/tcp/1, /ip6/::1/tcp/2',
      ['/ip4/1.2.3.4/tcp/1', '/ip6/::1/tcp/2'],
      '/ip4/1.2.3.4/tcp/1 /ip6/::1/tcp/2',
    ],
    ['listen', 'none', [], 'none'],
    ['announce', '/dns4/example.org/tcp/4141', ['/dns4/example.org/tcp/4141'], '/dns4/example.org/tcp/4141'],
    ['bootstrap', 'none', [], 'none'],
    ['bootstrap', PEER, [PEER], PEER],
    ['bootstrap', 'default', DEFAULT_CONFIG.bootstrap, 'default'],
    ['limits.up', '40MB', 40_000_000, '40MB'],
    ['limits.down', 'unlimited', 0, 'unlimited'],
    ['limits.down', '0', 0, 'unlimited'],
    ['discovery.mdns', 'off', false, 'off'],
    ['discovery.mdns', 'true', true, 'on'],
    ['dht', 'server', 'server', 'server'],
    ['wire.share', 'off', false, 'off'],
    ['routing.delegated', 'https://a.example', ['https://a.example'], 'https://a.example'],
    ['sources.http', 'none', [], 'none'],
    [
      'sources.http',
      'https://a.example http://b:1/c',
      ['https://a.example', 'http://b:1/c'],
      'https://a.example http://b:1/c',
    ],
    ['gateway', 'off', 'off', 'off'],
    ['gateway', 'on', '/ip4/127.0.0.1/tcp/8080', '/ip4/127.0.0.1/tcp/8080'],
    ['gateway', '/ip6/::1/tcp/0', '/ip6/::1/tcp/0', '/ip6/::1/tcp/0'],
    ['pages.listen', 'off', 'off', 'off'],
    ['pages.listen', 'default', '/ip4/0.0.0.0/tcp/4180', '/ip4/0.0.0.0/tcp/4180'],
    ['pages.listen', '/ip6/::/tcp/80', '/ip6/::/tcp/80', '/ip6/::/tcp/80'],
    ['pages.url', 'none', 'none', 'none'],
    [
      'pages.url',
      'https://files.example.org/in',
      'https://files.example.org/in',
      'https://files.example.org/in',
    ],
    [
      'torrent.trackers',
      'udp://a.example:1 http://b.example/announce',
      ['udp://a.example:1', 'http://b.example/announce'],
      'udp://a.example:1 http://b.example/announce',
    ],
    ['torrent.trackers.local', 'on', true, 'on'],
    ['torrent.dht', 'off', 'off', 'off'],
    ['torrent.dht.bootstrap', '192.0.2.1:6881', ['192.0.2.1:6881'], '192.0.2.1:6881'],
    ['torrent.dht.bootstrap', 'none', [], 'none'],
    ['torrent.lsd', 'on', true, 'on'],
    ['peers.max', '50', 50, '50'],
    ['peers.max', 'default', 300, '300'],
  ]
  for (const [name, text, value, printed] of table) {
    const key = configKey(name)
    const config = withSetting(DEFAULT_CONFIG, key, text)
    assert.deepEqual(config[key], value, `${name} ${text}`)
    assert.equal(settingText(config, key), printed)
  }
})

test('what each key refuses', () => {
  const table: [string, string, RegExp][] = [
    ['listen', '', /listen/],
    ['listen', 'localhost:80', /localhost:80/],
    ['listen', '/ip4/127.0.0.1/udp/1', /udp/],
    ['listen', '/ip4/127.0.0.1/tcp/0,/ip4/999.0.0.1/tcp/0', /999/],
    ['announce', 'example.org', /example\.org/],
    ['bootstrap', '/ip4/10.0.0.1/tcp/4001', /10\.0\.0\.1/],
    ['limits.up', '-1', /-1/],
    ['limits.up', '40Mbit', /40Mbit/],
    ['discovery.mdns', 'maybe', /maybe/],
    ['dht', 'on', /on/],
    ['gateway', '/ip4/0.0.0.0/tcp/8080', /0\.0\.0\.0/],
    ['pages.listen', '0.0.0.0:4180', /0\.0\.0\.0/],
    ['pages.url', 'files.example.org', /files/],
    ['pages.url', 'https://files.example.org/?a', /files/],
    ['gateway', '/ip4/192.168.0.1/tcp/8080', /192/],
    ['gateway', '127.0.0.1:8080', /8080/],
    ['routing.delegated', 'ftp://a.example', /ftp/],
    ['sources.http', 'https://a.example/?x', /x/],
    ['sources.http', 'https://user:word@a.example', /user/],
    ['sources.http', 'ftp://a.example', /ftp/],
    ['peers.max', '0', /0/],
    ['peers.max', '1.5', /1\.5/],
  ]
  for (const [name, text, message] of table) {
    assert.throws(
      () => withSetting(DEFAULT_CONFIG, configKey(name), text),
      (error) =>
        error instanceof ShareError &&
        error.code === 'BAD_CONFIG' &&
        message.test(error.message) &&
        /it takes/.test(error.hint),
      `${name} ${text}`,
    )
  }
})

test('an unknown key is answered with the known ones', () => {
  assert.throws(
    () => configKey('limits.upp'),
    (error) =>
      error instanceof ShareError &&
      error.code === 'BAD_CONFIG' &&
      CONFIG_KEYS.every((key) => error.hint.includes(key)),
  )
})

test('no file means the defaults; only what differs from them is written, for the owner alone', async () => {
  assert.deepEqual(await loadConfig(home), DEFAULT_CONFIG)
  const changed = withSetting(withSetting(DEFAULT_CONFIG, 'limits.up', '5MB'), 'bootstrap', 'none')
  await saveConfig(home, changed)
  assert.deepEqual(JSON.parse(await readFile(join(home, 'config.json'), 'utf8')), {
    bootstrap: [],
    'limits.up': 5_000_000,
  })
  assert.deepEqual(await loadConfig(home), changed)
  assert.equal((await stat(join(home, 'config.json'))).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(home), ['config.json'])
})

test('a file by hand may hold what the command line takes', async () => {
  await writeFile(
    join(home, 'config.json'),
    '{"limits.up": "40MB", "discovery.mdns": "off", "listen": "/ip4/127.0.0.1/tcp/0"}',
  )
  const config = await loadConfig(home)
  assert.deepEqual(
    [config['limits.up'], config['discovery.mdns'], config.listen],
    [40_000_000, false, ['/ip4/127.0.0.1/tcp/0']],
  )
})

test('a broken file is refused by name', async () => {
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '{"nope": 1}',
    '{"dht": "on"}',
    '{"limits.up": null}',
    '{"listen": {"a": 1}}',
    '{"__proto__": 1}',
  ]) {
    await writeFile(join(home, 'config.json'), text)
    await assert.rejects(
      loadConfig(home),
      (error) =>
        error instanceof ShareError && error.code === 'BAD_CONFIG' && error.message.includes('config.json'),
      text,
    )
  }
})
