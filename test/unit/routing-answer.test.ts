import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnswerForm, readAnswer } from '../../src/routing/routing-answer.ts'

const A = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'
const B = 'QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ'
const A_AS_CID = 'bafzaajaiaejcbfaibrmsqss22lwmzn5n3vrcd6whvesdvj62alhfg6gmialsrsur'
const TCP = '/ip4/192.0.2.1/tcp/4001'

const peer = (fields: object): string => JSON.stringify({ Schema: 'peer', ID: A, Addrs: [TCP], ...fields })

/** Who is found, as `id address…`; of what is thrown its message behind what came before. */
async function read(form: AnswerForm, text: string, chunk = text.length): Promise<string[]> {
  const bytes = Buffer.from(text)
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
  }
  const found: string[] = []
  try {
    for await (const { id, multiaddrs } of readAnswer(body(), form)) found.push([id, ...multiaddrs].join(' '))
  } catch (thrown) {
    found.push(`! ${(thrown as Error).message}`)
  }
  return found
}

describe('answers of delegated routers', () => {
  const LINES: [string, string, string[]][] = [
    ['nothing', '', []],
    ['lines, blank ones between', `${peer({})}\n\n${peer({ ID: B })}\n`, [`${A} ${TCP}`, `${B} ${TCP}`]],
    ['the last line without an end', `${peer({})}\n${peer({ ID: B })}`, [`${A} ${TCP}`, `${B} ${TCP}`]],
    ['a CRLF', `${peer({})}\r\n`, [`${A} ${TCP}`]],
    ['the older schema', peer({ Schema: 'bitswap', Protocol: 'transport-bitswap' }), [`${A} ${TCP}`]],
    ['another schema', `${peer({ Schema: 'other' })}\n${peer({})}`, [`${A} ${TCP}`]],
    ['no addresses', peer({ Addrs: null }), [A]],
    ['addresses that are none', peer({ Addrs: ['https://x.example', 7, TCP, '/ip4/1'] }), [`${A} ${TCP}`]],
    ['an address without end', peer({ Addrs: [`/dns4/${'a'.repeat(2_000)}/tcp/1`] }), [A]],
    ['an id that is none', `${peer({ ID: 'x' })}\n${peer({ ID: 7 })}`, []],
    ['Bitswap among the protocols', peer({ Protocols: ['transport-bitswap', 'x'] }), [`${A} ${TCP}`]],
    ['no Bitswap', peer({ Protocols: ['transport-ipfs-gateway-http'] }), []],
    ['no JSON behind a good line', `${peer({})}\n<html>`, [`${A} ${TCP}`, '! sent what is not JSON']],
    ['a line without end', ' '.repeat(70_000), ['! sent a line without end']],
    ['no record', `7\nnull\n[]\n${peer({})}`, [`${A} ${TCP}`]],
  ]
  for (const [name, text, expected] of LINES)
    test(`lines: ${name}`, async () => {
      assert.deepEqual(await read('lines', text), expected)
      if (text.length < 10_000) assert.deepEqual(await read('lines', text, 1), expected)
    })

  const OBJECTS: [string, string, string[]][] = [
    ['providers', `{"Providers":[${peer({})}]}`, [`${A} ${TCP}`]],
    ['peers', `{"Peers":[${peer({ ID: B })}]}`, [`${B} ${TCP}`]],
    ['nobody', '{"Providers":null}', []],
    ['no list', '{"Providers":7}', ['! sent JSON that is no answer']],
    ['no object', '[]', ['! sent JSON that is no answer']],
    ['cut off', '{"Providers":[', ['! sent what is not JSON']],
    ['without end', ' '.repeat(2_000_000), ['! sent too much']],
  ]
  for (const [name, text, expected] of OBJECTS)
    test(`an object: ${name}`, async () => {
      assert.deepEqual(await read('object', text, 65_536), expected)
    })

  test('an id as a CID', async () => {
    const [found = ''] = await read('lines', peer({ ID: A_AS_CID }))
    assert.equal(found, `${A} ${TCP}`)
  })

  test('no more than a hundred, and no more than fifty addresses of one', async () => {
    const many = Array.from({ length: 300 }, () => peer({ Addrs: Array.from({ length: 80 }, () => TCP) }))
    const found = await read('lines', many.join('\n'), 4096)
    assert.equal(found.length, 100)
    assert.equal(found[0]?.split(' ').length, 51)
  })
})
