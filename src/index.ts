/** The library: a peer in your own process. `createNode` is the front door. */
export { type ErrorCode, type ErrorJson, ShareError } from './core/errors.ts'
export type { Config } from './node/config.ts'
export { createNode, type NodeOptions } from './node/node.ts'
export type * from './node/types.ts'
