// A small random source that repeats: the same seed gives the same fleet, so that a finding can be looked at again. Not for keys.

export interface SimulationRandom {
  /** In [0, 1). */
  next(): number
  /** Exponentially distributed with this mean. */
  exponential(mean: number): number
}

/** xorshift128 (Marsaglia 2003), seeded through splitmix32. */
export function simulationRandom(seed: number): SimulationRandom {
  let mix = seed >>> 0
  const word = () => {
    mix = (mix + 0x9e3779b9) >>> 0
    let z = mix
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
  let [x, y, z, w] = [word(), word(), word(), word() | 1]
  const next = () => {
    const t = x ^ (x << 11)
    x = y
    y = z
    z = w
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0
    return w / 0x1_0000_0000
  }
  return { next, exponential: mean => -mean * Math.log(1 - next()) }
}
