import { runKernel } from '/work/main/test/conformance/kernel.js';
const o = runKernel(process.argv[2]!);
console.log(o.differences.slice(0, Number(process.argv[3] ?? 60)).join('\n'));
console.log(o.agree, o.differ, o.unknown, o.notCovered);
