/** A liar in the DHT as a program: listens at the first argument, names the others as providers of anything, says who asked. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { type Named, startLiar } from '../../hostile/routing/kad-liar.ts'

const [listen = '', ...addresses] = process.argv.slice(2)
const providers: Named[] = []
for (const address of addresses) {
  const id = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toMultihash().bytes
  providers.push({ id, addresses: [address] })
}
const liar = await startLiar(await generateKeyPair('Ed25519'), listen, {
  closer: () => [],
  providers: () => {
    console.log('asked')
    return providers
  },
})
// libp2p itself names a public address only once others have confirmed it
console.log(`at ${listen}/p2p/${liar.libp2p.peerId}`)
