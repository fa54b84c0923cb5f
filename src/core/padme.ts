// Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PoPETS 2019, section
// 4): a length is rounded up so that what is left of it tells O(log log length) bits: its binary exponent, and as many bits
// after that as the exponent's own length has. It adds at most 12 %, less the longer it is: at most 3.2 % from 64 KiB on.

/** Nothing is padded to less: Padmé by itself would tell lengths below this almost exactly. A Padmé value. */
export const MIN_PADDED_BYTES = 256

/** The least Padmé value that is not less; 1 to 2^30. Ascends, and padme(padme(x)) is padme(x). */
export function padme(length: number): number {
  if (length < 2) return length
  const exponent = 31 - Math.clz32(length)
  const kept = 32 - Math.clz32(exponent)
  const mask = (1 << Math.max(0, exponent - kept)) - 1
  return (length + mask) & ~mask
}

/** How long a plaintext of 1 to 2^30 bytes is once padded. */
export function paddedBytesOf(plainBytes: number): number {
  return Math.max(MIN_PADDED_BYTES, padme(plainBytes))
}
