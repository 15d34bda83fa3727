/** share config: reads and writes `config.json`; starts no daemon. */
import { CONFIG_KEYS, type ConfigKey, configKey, settingText, withSetting } from '../../node/config.ts'
import { loadConfig, saveConfig } from '../../node/config-file.ts'
import type { Context } from '../context.ts'

/** What a running daemon takes at once, and by which name. */
const LIMITS: ReadonlyMap<ConfigKey, 'up' | 'down'> = new Map([
  ['limits.up', 'up'],
  ['limits.down', 'down'],
])

export async function get({ home, out }: Context, name: string): Promise<void> {
  const key = configKey(name)
  const config = await loadConfig(home)
  out.result(settingText(config, key), { key, value: config[key] })
}

export async function set(
  { home, out, signal }: Context,
  name: string,
  values: readonly string[],
): Promise<void> {
  const key = configKey(name)
  const config = withSetting(await loadConfig(home), key, values.join(' '))
  await saveConfig(home, config)
  const { probe } = await import('../../daemon/spawn.ts')
  const running = await probe(home, signal)
  const limit = LIMITS.get(key)
  if (limit !== undefined) await running?.client.limitAll({ [limit]: config[key] }, { signal })
  if (out.json) out.result('', { key, value: config[key], daemonRunning: running !== undefined })
  if (running !== undefined && limit === undefined)
    out.note('the running daemon keeps its settings: `share daemon stop`; the next start takes the new ones')
}

export async function list({ home, out }: Context): Promise<void> {
  const config = await loadConfig(home)
  const lines = CONFIG_KEYS.map((key) => `${key} = ${settingText(config, key)}`)
  out.result(lines.join('\n'), config)
}
