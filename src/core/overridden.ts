/** An object with some of its methods replaced, such as a component of libp2p for one service alone. */
export function overridden<T extends object>(object: T, changes: Partial<T>): T {
  return new Proxy(object, {
    get: (target, key) => {
      if (key in changes) return Reflect.get(changes, key)
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
