import { VFIO_ON_BRIDGE } from '../causes.js';
import { failedSteps, type Facts, isBridge, kernelSays, refusal } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Edit, Found } from '../rule.js';
import type { HostDescription } from '../../simulator/description.js';

type Binding = HostDescription['bindings'][number];

/** The statement without the bridge. One statement that names several devices makes several bindings, which stand in one place. */
function without(facts: Facts, binding: Binding, host: HostDescription): Edit {
  const names = host.bindings.filter((each) => each.driver === binding.driver && !isBridgeIn(facts, each)).map((each) => facts.fn(each.device)?.name ?? each.device);
  return names.length === 0 ? { kind: 'remove', subject: binding.id } : { kind: 'replace', subject: binding.id, text: `bind ${names.join(', ')} to ${binding.driver}` };
}

function isBridgeIn(facts: Facts, { device }: Binding): boolean {
  const fn = facts.fn(device);
  return fn !== undefined && isBridge(fn);
}

const body = onRootPort('function gpu at 01:00.0 { class vga  driver nouveau }');

export const vfioOnBridge: DiagnosticRule = {
  code: 'driver/vfio-on-bridge',
  severity: 'error',
  title: 'A bridge is bound to vfio-pci',
  documentation: `The bridges and ports of an IOMMU group need no driver change: the kernel does not count them when it asks whether a group is free (\`pcieport\` does no DMA on behalf of the host), whatever tools say ("Wrong driver devices: [('0000:04:00.0', 'pcieport')]").
vfio-pci refuses them: its probe fails with EINVAL for everything whose configuration header is not that of an ordinary function.

**Fix.** Leave \`pcieport\` where it is; bind the endpoints only.`,
  example: {
    bad: `${sampleHost(`${body}\nbind rp, gpu to vfio-pci`)}`,
    good: `${sampleHost(`${body}\nbind gpu to vfio-pci`)}`,
  },
  *check(facts): Generator<Found> {
    for (const { step } of failedSteps(facts.report)) {
      if (!VFIO_ON_BRIDGE.explains(step)) continue;
      const host = facts.description.hosts.find((each) => each.bindings.some((binding) => binding.id === step.origin));
      const binding = host?.bindings.find((each) => each.id === step.origin);
      const bridge = binding?.device ?? step.offenders[0];
      yield {
        subject: step.origin,
        message: `${bridge === undefined ? 'The device' : facts.name(bridge)} is a bridge: vfio-pci refuses it, and nobody needs it there, because bridges are never in the way of a group's owner. ${refusal(step)}.${kernelSays(step)}`,
        related: bridge === undefined ? [] : [{ subject: bridge, message: 'stays with pcieport' }],
        fixes: host === undefined || binding === undefined ? [] : [{ title: 'Leave the bridge with its port driver', preferred: true, edits: [without(facts, binding, host)] }],
      };
    }
  },
};
