/** What Node has and a browser lacks, for the code that both run: `npm run build` puts it wherever `Buffer` is meant. */
import { Buffer } from 'buffer/index.js'

export { Buffer }
