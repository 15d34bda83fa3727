/** share config: reads and writes `config.json`; starts no daemon. */
import { CONFIG_KEYS, configKey, settingText, withSetting } from '../../node/config.ts'
import { loadConfig, saveConfig } from '../../node/config-file.ts'
import type { Context } from '../context.ts'

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
  const daemonRunning = (await probe(home, signal)) !== undefined
  if (out.json) out.result('', { key, value: config[key], daemonRunning })
  if (daemonRunning)
    out.note('the running daemon keeps its settings: `share daemon stop`; the next start takes the new ones')
}

export async function list({ home, out }: Context): Promise<void> {
  const config = await loadConfig(home)
  const lines = CONFIG_KEYS.map((key) => `${key} = ${settingText(config, key)}`)
  out.result(lines.join('\n'), config)
}
