// Reads the codes that jaxcompress writes (docs/file_format.md), in browsers and Node 18 or later:
//   import { load } from "./jaxcompress.js";
//   const table = await load(await (await fetch("model.safetensors")).arrayBuffer());
//   table.get("king"); table.row(7); table.nearest("king", 10);  // [[word, cosine], ...]
const float16 = (h) => {
  const sign = h & 0x8000 ? -1 : 1, exponent = (h >> 10) & 31, fraction = h & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
};
const bits = new DataView(new ArrayBuffer(4));
const bfloat16 = (h) => (bits.setUint32(0, h << 16), bits.getFloat32(0)); // the upper half of a float32

export async function load(buffer) {
  const view = new DataView(buffer), start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  const about = header.__metadata__ ?? {}, bytes = (name) => {
    const [from, to] = header[name].data_offsets;
    return new Uint8Array(buffer, start + from, to - from);
  };
  if (about.format !== "jaxcompress.codes" || !["1", "2"].includes(about.version))
    throw new Error("not a file of codes that this reader knows");
  const layout = JSON.parse(about["codes.layout"] ?? "{}"), codebooks = []; // of [K][D]

  const unpack = (from, byte, bit, width) => { // so many bits of a row that begins there, the low ones first
    let value = 0;
    for (let b = 0; b < width; b++, bit++) value |= ((from[byte + (bit >> 3)] >> (bit & 7)) & 1) << b;
    return value;
  };
  function reader(name, width) { // (codeword, dimension) -> number
    const unit = 2 ** (layout.exponent ?? 0), all = bytes(name), at = start + header[name].data_offsets[0];
    const scales = header[`${name}.scales`] && bytes(`${name}.scales`), size = header[name].shape.at(-1);
    const scale = (r) => bfloat16(scales[2 * r] | (scales[2 * r + 1] << 8));
    const b = Number(layout.type?.slice(3)); // of int4 to int6, which are packed
    return {
      F32: (r, d) => view.getFloat32(at + 4 * (r * width + d), true),
      F16: (r, d) => float16(view.getUint16(at + 2 * (r * width + d), true)) * unit,
      I8: (r, d) => view.getInt8(at + r * width + d) * scale(r),
      U8: (r, d) => (unpack(all, r * size, d * b, b) - 2 ** (b - 1) + 1) * scale(r),
    }[header[name].dtype];
  }
  function add(name, width, offset = () => 0) { // each codebook of a tensor, in its place of D dimensions
    if (!header[name]) return;
    const stored = header[name].shape.at(-2), number = reader(name, width);
    const ends = layout.short && name !== "codebooks.first" ? 1 : 0; // with zeros, not stored
    for (let m = 0; m < header[name].shape.slice(0, -2).reduce((a, b) => a * b, 1); m++) {
      codebooks.push(Array.from({ length: stored + ends }, () => new Float32Array(dim)));
      for (let k = 0; k < stored; k++)
        for (let d = 0; d < width; d++) codebooks.at(-1)[k][offset(m) + d] = number(m * stored + k, d);
    }
  }
  const grouped = header["codebooks.grouped"]?.shape; // [G, E, L, D/G]
  const whole = (header["codebooks"] ?? header["codebooks.first"])?.shape;
  const dim = layout.dim ?? whole?.at(-1) ?? grouped[0] * grouped[3];
  for (const name of ["codebooks", "codebooks.first", "codebooks.shared"]) add(name, dim);
  if (grouped) add("codebooks.grouped", dim / grouped[0], (m) => Math.floor(m / grouped[1]) * (dim / grouped[0]));

  const packed = bytes("codes"), [count, rowBytes] = header.codes.shape;
  const codeBits = Math.ceil(Math.log2(codebooks[0].length));
  const code = (i, m) => unpack(packed, i * rowBytes, m * codeBits, codeBits);
  const row = (i) => {
    if (!Number.isInteger(i) || i < 0 || i >= count) throw new Error(`no row ${i} of ${count}`);
    const sum = new Float32Array(dim);
    for (let m = 0; m < codebooks.length; m++) {
      const codeword = codebooks[m][code(i, m)];
      for (let d = 0; d < dim; d++) sum[d] += codeword[d];
    }
    return sum;
  };
  let words = null;
  const name = ["words", "words.zlib"].find((n) => header[n]);
  if (name) {
    let stream = new Blob([bytes(name)]).stream();
    if (name === "words.zlib") stream = stream.pipeThrough(new DecompressionStream("deflate"));
    words = (await new Response(stream).text()).split("\n").slice(0, -1);
  }
  const ids = words && new Map(words.map((word, i) => [word, i]).reverse()); // of equal words, the first
  const id = (word) => (typeof word === "string" ? ids?.get(word) ?? -1 : word);
  const dot = (a, b) => a.reduce((sum, x, d) => sum + x * b[d], 0);
  function nearest(word, limit = 10) {
    const own = typeof word === "object" ? -1 : id(word), query = own === -1 ? word : row(own);
    if (typeof query === "string") throw new Error(`no row is named ${word}`);
    const norm = (v) => Math.sqrt(dot(v, v)) || 1, found = [];
    for (let i = 0; i < count; i++) {
      if (i === own) continue;
      const other = row(i);
      found.push([words ? words[i] : i, dot(query, other) / norm(query) / norm(other)]);
    }
    return found.sort((a, b) => b[1] - a[1]).slice(0, limit);
  }
  return { dim, count, words, metadata: about, get: (word) => row(id(word)), row, nearest };
}
