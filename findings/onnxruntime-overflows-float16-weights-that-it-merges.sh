#!/usr/bin/env bash
# onnxruntime-node 1.30.0 (npm, linux-x64); ONNX Runtime's CPU provider.
#
# A Conv in float16 followed by a Mul with a constant for each channel. On a CPU without float16 arithmetic ONNX Runtime computes both in float32 and
# rounds in between, and every number of this model stays below 50: nothing is near the limit of float16, 65,504. One would guess that optimizing the
# graph keeps that. But from the basic level on (the default level includes it) ConvMulFusion multiplies the constant into the stored weights first, in
# float16: 30 times 20,000 is infinite there. Inputs are small, so the answer should be small; it is infinite, or NaN where infinities of both signs meet.
# The model loads without a warning. It matters to whoever converts a trained network to float16 and checks it with optimizations off, or by eye: weights,
# constants and answers all fit the type, and the served model is broken. The same fusion in float32 is harmless; the one with a batch norm alike.
# Way out: optimization.disable_specified_optimizers = ConvMulFusion, or the constant in front of the Conv.
#
# Exit code 0: still so. 1: it changed. Needs Node.js 18 or later and npm.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0 >/dev/null

cat >probe.cjs <<'P'
const ort = require('onnxruntime-node');

// Protobuf by hand: a varint field, or a field of bytes.
const varint = n => { const out = []; for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128); out.push(n); return Buffer.from(out); };
const bytes = (field, value) => Buffer.concat([varint(field * 8 + 2), varint(value.length), Buffer.from(value)]);
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const half = x => {
  const bits = new Uint32Array(new Float32Array([x]).buffer)[0];
  const exponent = ((bits >>> 23) & 255) - 112;
  if (x === 0) return 0;
  if (exponent < 1 || exponent > 30) throw new Error('only normal numbers of float16 here');
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
};
const single = bits => {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
};
const halves = values => new Uint8Array(Uint16Array.from(values, half).buffer);
const FLOAT16 = 10;
const tensor = (name, dims, values) => message(5, ...dims.map(d => number(1, d)), number(2, FLOAT16), bytes(8, name), bytes(9, halves(values)));
const value = (field, name, dims) =>
  message(field, bytes(1, name), message(2, message(1, number(1, FLOAT16), message(2, ...dims.map(d => message(1, number(1, d)))))));
const node = (op, inputs, output) => message(1, ...inputs.map(i => bytes(1, i)), bytes(2, output), bytes(3, output), bytes(4, op));

const model = Buffer.concat([
  number(1, 8),
  message(7,
    node('Conv', ['x', 'w'], 'c'), node('Mul', ['c', 'k'], 'y'), bytes(2, 'g'),
    tensor('w', [2, 2, 1, 1], [30, -20, 10, 5]), tensor('k', [1, 2, 1, 1], [20000, 2]),
    value(11, 'x', [1, 2, 1, 2]), value(12, 'y', [1, 2, 1, 2])),
  message(8, bytes(1, ''), number(2, 17)),
]);

(async () => {
  const x = [0.0001, -0.00008, 0.00012, 0.00007];
  const run = async (level, extra) => {
    const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: level, ...(extra ? { extra } : {}) });
    const result = await session.run({ x: new ort.Tensor('float16', Uint16Array.from(x, half), [1, 2, 1, 2]) });
    return Array.from(new Uint16Array(result.y.data.buffer, result.y.data.byteOffset, 4), single);
  };
  const exact = [20000 * (30 * x[0] - 20 * x[2]), 20000 * (30 * x[1] - 20 * x[3]), 2 * (10 * x[0] + 5 * x[2]), 2 * (10 * x[1] + 5 * x[3])];
  const show = (what, values) => console.log(what.padEnd(34), values.map(v => v.toPrecision(4)).join('  '));
  show('exact:', exact);
  const plain = await run('disabled');
  show('optimizations off:', plain);
  const basic = await run('basic'), all = await run('all');
  show('level "basic":', basic);
  show('level "all" (the default):', all);
  const near = values => values.every((v, i) => Math.abs(v - exact[i]) <= 0.01 * Math.abs(exact[i]));
  const broken = values => values.some(v => !Number.isFinite(v));
  process.exit(near(plain) && broken(basic) && broken(all) ? 0 : 1);
})();
P
node probe.cjs
