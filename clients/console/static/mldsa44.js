// -- ML-DSA-44, verification alone (FIPS 204; its algorithm numbers stand in the comments)
//
// What is checked is public, so nothing here has to take the same time. Coefficients are integers
// from 0 to q - 1; a product of two has at most 46 bits, which a number holds exactly.

const Q = 8380417;
const [K, L, N, D] = [4, 4, 256, 13]; // rows and columns of A, coefficients, bits dropped from t
const [TAU, BETA, OMEGA] = [39, 78, 80]; // ones in the challenge, TAU times ETA, ones in the hint
const [GAMMA1, GAMMA2] = [1 << 17, (Q - 1) / 88];
const [SEED, T1_BYTES, Z_BYTES, W1_BYTES] = [32, 320, 576, 192]; // of 10, 18 and 6 bits
export const [PUBLIC_BYTES, SIGNATURE_BYTES] = [SEED + K * T1_BYTES, SEED + L * Z_BYTES + OMEGA + K];

// Whether it is a signature over the message (algorithm 3, with algorithm 8); all are byte arrays.
export function verifies(publicKey, message, signature, context = new Uint8Array(0)) {
  if (publicKey.length !== PUBLIC_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  if (context.length > 255) return false;
  const rho = publicKey.subarray(0, SEED); // algorithm 23, pkDecode
  const t1 = each(K, (i) => unpacked(publicKey, SEED + i * T1_BYTES, 10));
  const challenge = signature.subarray(0, SEED); // algorithm 27, sigDecode
  const z = each(L, (i) => unpacked(signature, SEED + i * Z_BYTES, 18).map((v) => GAMMA1 - v));
  const hint = hints(signature.subarray(SEED + L * Z_BYTES));
  if (hint === null) return false;
  if (z.some((poly) => poly.some((v) => Math.abs(v) >= GAMMA1 - BETA))) return false;
  const c = transformed(inBall(challenge));
  const zHat = z.map((poly) => transformed(poly.map((v) => (v + Q) % Q)));
  const tHat = t1.map((poly) => transformed(poly.map((v) => v * 2 ** D)));
  const tr = shake256(publicKey).take(64);
  const mu = shake256(tr, [0, context.length], context, message).take(64);
  const w1 = each(K, (row) => {
    const sum = new Int32Array(N);
    for (let column = 0; column < L; column++) {
      const a = uniform(rho, row, column);
      for (let i = 0; i < N; i++) sum[i] = (sum[i] + a[i] * zHat[column][i]) % Q;
    }
    for (let i = 0; i < N; i++) sum[i] = (sum[i] + (Q - c[i]) * tHat[row][i]) % Q;
    return packed(restored(sum).map((v, i) => highBits(v, hint[row][i])));
  });
  const found = shake256(mu, ...w1).take(SEED);
  return found.every((byte, i) => byte === challenge[i]);
}

const each = (count, make) => Array.from({ length: count }, (_, i) => make(i));

// -- bytes to polynomials

// Algorithms 18 and 19: coefficients of so many bits, from the lowest bit on.
function unpacked(bytes, start, bits) {
  const found = new Int32Array(N);
  let [at, held, count] = [start, 0, 0];
  for (let i = 0; i < N; i++) {
    for (; count < bits; count += 8) held |= bytes[at++] << count;
    found[i] = held & ((1 << bits) - 1);
    held >>>= bits;
    count -= bits;
  }
  return found;
}

// Algorithm 16 with 6 bits, as algorithm 28 (w1Encode) needs it.
function packed(poly) {
  const found = new Uint8Array(W1_BYTES);
  for (let i = 0, at = 0; i < N; i += 4) {
    const four = poly[i] | (poly[i + 1] << 6) | (poly[i + 2] << 12) | (poly[i + 3] << 18);
    for (let shift = 0; shift < 24; shift += 8) found[at++] = four >> shift;
  }
  return found;
}

// Algorithm 21, HintBitUnpack: null for what is not written in its one way.
function hints(bytes) {
  const found = each(K, () => new Uint8Array(N));
  let index = 0;
  for (let row = 0; row < K; row++) {
    const [first, end] = [index, bytes[OMEGA + row]];
    if (end < index || end > OMEGA) return null;
    for (; index < end; index++) {
      if (index > first && bytes[index - 1] >= bytes[index]) return null;
      found[row][bytes[index]] = 1;
    }
  }
  return bytes.subarray(index, OMEGA).some((byte) => byte !== 0) ? null : found;
}

// Algorithm 29, SampleInBall: TAU coefficients of 1 or -1, all others 0.
function inBall(seed) {
  const [stream, found] = [shake256(seed), new Int32Array(N)];
  const signs = stream.take(8);
  for (let i = N - TAU; i < N; i++) {
    let j = stream.next();
    while (j > i) j = stream.next();
    const bit = i - (N - TAU);
    found[i] = found[j];
    found[j] = (signs[bit >> 3] >> (bit & 7)) & 1 ? Q - 1 : 1;
  }
  return found;
}

// Algorithms 30 and 32: one polynomial of the matrix A, drawn until it has all coefficients.
function uniform(rho, row, column) {
  const [stream, found] = [shake128(rho, [column, row]), new Int32Array(N)];
  for (let i = 0; i < N; ) {
    const value = stream.next() | (stream.next() << 8) | ((stream.next() & 127) << 16);
    if (value < Q) found[i++] = value; // algorithm 14
  }
  return found;
}

// Algorithm 40, UseHint, with algorithm 36, Decompose.
function highBits(r, hint) {
  const [step, count] = [2 * GAMMA2, (Q - 1) / (2 * GAMMA2)];
  let low = r % step;
  if (low > GAMMA2) low -= step;
  let high = (r - low) / step;
  if (r - low === Q - 1) [high, low] = [0, low - 1];
  if (!hint) return high;
  return (high + (low > 0 ? 1 : count - 1)) % count;
}

// -- the number-theoretic transform

// Appendix B: powers of 1753, their exponents with bits reversed.
const ZETAS = each(N, (i) => {
  let [power, exponent] = [1, 0];
  for (let bit = 0; bit < 8; bit++) exponent |= ((i >> bit) & 1) << (7 - bit);
  while (exponent-- > 0) power = (power * 1753) % Q;
  return power;
});

// Algorithm 41, NTT, of coefficients from 0 to q - 1.
function transformed(poly) {
  const w = Int32Array.from(poly);
  let m = 0;
  for (let length = 128; length >= 1; length >>= 1)
    for (let start = 0; start < N; start += 2 * length) {
      const zeta = ZETAS[++m];
      for (let j = start; j < start + length; j++) {
        const t = (zeta * w[j + length]) % Q;
        w[j + length] = (w[j] - t + Q) % Q;
        w[j] = (w[j] + t) % Q;
      }
    }
  return w;
}

// Algorithm 42, the way back.
function restored(poly) {
  const w = Int32Array.from(poly);
  let m = N;
  for (let length = 1; length < N; length *= 2)
    for (let start = 0; start < N; start += 2 * length) {
      const zeta = Q - ZETAS[--m];
      for (let j = start; j < start + length; j++) {
        const t = w[j];
        w[j] = (t + w[j + length]) % Q;
        w[j + length] = (zeta * (t - w[j + length] + Q)) % Q;
      }
    }
  return w.map((v) => (v * 8347681) % Q); // the inverse of 256
}

// -- SHAKE (FIPS 202): lanes of 64 bits are pairs of 32, the lower half first

const LOWER = [
  0x00000001, 0x00008082, 0x0000808a, 0x80008000, 0x0000808b, 0x80000001, 0x80008081, 0x00008009,
  0x0000008a, 0x00000088, 0x80008009, 0x8000000a, 0x8000808b, 0x0000008b, 0x00008089, 0x00008003,
  0x00008002, 0x00000080, 0x0000800a, 0x8000000a, 0x80008081, 0x00008080, 0x80000001, 0x80008008,
];
// Of the upper halves the round constants have the top bit or none.
const UPPER = [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1];
const TURNS = [
  1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
];
const PLACES = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];
const COLUMNS = new Int32Array(10);

// Without swaps by destructuring: this is where the time goes.
function permute(s) {
  const c = COLUMNS;
  for (let round = 0; round < 24; round++) {
    for (let x = 0; x < 10; x++) c[x] = s[x] ^ s[x + 10] ^ s[x + 20] ^ s[x + 30] ^ s[x + 40]; // θ
    for (let x = 0; x < 10; x += 2) {
      const left = (x + 8) % 10;
      const low = c[(x + 2) % 10];
      const high = c[(x + 3) % 10];
      const a = c[left] ^ ((low << 1) | (high >>> 31));
      const b = c[left + 1] ^ ((high << 1) | (low >>> 31));
      for (let y = x; y < 50; y += 10) {
        s[y] ^= a;
        s[y + 1] ^= b;
      }
    }
    let low = s[2]; // ρ and π
    let high = s[3];
    for (let i = 0; i < 24; i++) {
      const at = 2 * PLACES[i];
      const turn = TURNS[i] & 31;
      const a = TURNS[i] < 32 ? low : high;
      const b = TURNS[i] < 32 ? high : low;
      low = s[at];
      high = s[at + 1];
      s[at] = (a << turn) | (b >>> 1 >>> (31 - turn));
      s[at + 1] = (b << turn) | (a >>> 1 >>> (31 - turn));
    }
    for (let y = 0; y < 50; y += 10) {
      for (let x = 0; x < 10; x++) c[x] = s[y + x]; // χ
      for (let x = 0; x < 10; x++) s[y + x] ^= ~c[(x + 2) % 10] & c[(x + 4) % 10];
    }
    s[0] ^= LOWER[round]; // ι
    s[1] ^= UPPER[round] << 31;
  }
}

// Absorbs all parts, then gives bytes for as long as it is asked.
function sponge(rate, parts) {
  const state = new Int32Array(50);
  let at = 0;
  const full = () => {
    if (at < rate) return;
    permute(state);
    at = 0;
  };
  const mix = (place, byte) => (state[place >> 2] ^= byte << (8 * (place & 3)));
  const next = () => {
    full();
    const byte = (state[at >> 2] >>> (8 * (at & 3))) & 255;
    at++;
    return byte;
  };
  for (const part of parts)
    for (let i = 0; i < part.length; i++) {
      full();
      mix(at++, part[i]);
    }
  full();
  mix(at, 0x1f);
  mix(rate - 1, 0x80);
  at = rate;
  return { next, take: (count) => new Uint8Array(count).map(next) };
}

const shake128 = (...parts) => sponge(168, parts);
const shake256 = (...parts) => sponge(136, parts);
