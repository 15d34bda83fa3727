/** `config.json`: read with every value checked, written atomically, readable by the owner alone. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errno, ShareError } from '../core/errors.ts'
import { CONFIG_KEYS, type Config, configKey, DEFAULT_CONFIG, settingText, withSetting } from './config.ts'

/**
 * The home's configuration; the defaults when there is no file.
 * @throws ShareError BAD_CONFIG naming the file, for what is not JSON, an unknown key, a bad value
 */
export async function loadConfig(home: string): Promise<Config> {
  const path = join(home, 'config.json')
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (errno(cause) === 'ENOENT') return '{}'
    throw ShareError.from(cause, 'read the configuration')
  })
  let config = DEFAULT_CONFIG
  for (const [key, value] of Object.entries(parseObject(text, path))) {
    try {
      config = withSetting(config, configKey(key), textOf(value))
    } catch (thrown) {
      const { message, hint } = ShareError.from(thrown)
      throw new ShareError('BAD_CONFIG', `${path}: ${message}`, hint)
    }
  }
  return config
}

/** Writes what differs from the defaults, all or nothing. */
export async function saveConfig(home: string, config: Config): Promise<void> {
  const settings: Record<string, unknown> = {}
  for (const key of CONFIG_KEYS) {
    if (settingText(config, key) !== settingText(DEFAULT_CONFIG, key)) settings[key] = config[key]
  }
  const path = join(home, 'config.json')
  const draft = `${path}.${process.pid}.tmp`
  try {
    await mkdir(home, { recursive: true, mode: 0o700 })
    await writeDurably(draft, `${JSON.stringify(settings, undefined, 2)}\n`)
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    throw ShareError.from(cause, 'save the configuration')
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'w', 0o600)
  await file.writeFile(text)
  await file.sync()
}

function parseObject(text: string, path: string): object {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  } catch {
    // the same answer as for JSON that is no object
  }
  throw new ShareError(
    'BAD_CONFIG',
    `${path} is not a JSON object`,
    'repair it by hand, or delete it to get the defaults',
  )
}

/** A JSON value in the form that the command line takes, so that one parser checks both. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(String).join(' ')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
