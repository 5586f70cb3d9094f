// One row of the table: what the report says, and how far both models differ in onnxruntime-node with all optimizations on.
// node compare.mjs NAME FOLDER
import { readFileSync } from "node:fs";
import ort from "onnxruntime-node";

const [name, folder] = process.argv.slice(2);
// Sizes that fit where the model leaves them open.
const sizes = {
  ch_PP_OCRv4_det_infer: { x: [1, 3, 96, 96] },
  ch_PP_OCRv4_rec_infer: { x: [1, 3, 48, 160] },
  ch_ppocr_mobile_v2_0_cls_infer: { x: [1, 3, 48, 192] },
  silero_vad_legacy: { input: [1, 1536], h: [2, 1, 64], c: [2, 1, 64] },
  silero_vad_v5: { input: [1, 576], state: [2, 1, 128] },
  silero_vad_v6: { input: [1, 576], state: [2, 1, 128] },
}[name.replaceAll(/[-.]/g, "_")];

function feeds(session) {
  let seed = 1;
  const random = () => ((seed = (seed * 48271) % 2147483647) / 2147483647) * 2 - 1;
  return Object.fromEntries(session.inputMetadata.map(({ name: input, type, shape }) => {
    if (type === "int64") return [input, new ort.Tensor("int64", BigInt64Array.of(16000n), [])];
    const dims = sizes?.[input] ?? shape.map((size) => (typeof size === "number" && size > 0 ? size : 1));
    const count = dims.reduce((product, size) => product * size, 1);
    return [input, new ort.Tensor("float32", Float32Array.from({ length: count }, random), dims)];
  }));
}

const report = JSON.parse(readFileSync(`${folder}/folded/${name}.json`));
const [seconds, kilobytes] = readFileSync(`${folder}/folded/${name}.time`, "utf8").trim().split(/\s+/).slice(-2).map(Number);
const options = { graphOptimizationLevel: "all", logSeverityLevel: 3 };
let difference = "";
try {
  const before = await ort.InferenceSession.create(`${folder}/${name}.onnx`, options);
  const after = await ort.InferenceSession.create(`${folder}/folded/${name}.onnx`, options);
  const given = feeds(before);
  const [was, now] = [await before.run(given), await after.run(given)];
  let worst = 0;
  for (const [output, { data }] of Object.entries(was)) {
    data.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - now[output].data[i])); });
  }
  difference = `${worst.toPrecision(2)} absolute`;
} catch (error) {
  difference = error.message.split("\n")[0];
}

const gone = (list) => list.length === 0 ? "none" : `${list.filter((item) => item.status !== "declined").length} of ${list.length}`;
const errors = report.errors.map((error) => error.relative);
const error = errors.length === 0 ? "" : Math.max(...errors).toPrecision(2);
const megabytes = Math.round(kilobytes / 1024);
const cells = [name, gone(report.batchNorms), gone(report.chains), error, seconds.toFixed(1), megabytes, difference];
console.log(`| ${cells.join(" | ")} |`);
