import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const dmaBypassesIommu: DiagnosticRule = {
  code: 'dma/bypasses-iommu',
  severity: 'warning',
  title: 'The DMA reaches another device without meeting the IOMMU',
  documentation: `A switch port without ACS P2P Request Redirect routes a request to its neighbour when the address lies in that neighbour's window. The IOMMU never sees the request: page tables do not matter.

**Fix.** Enable ACS Request Redirect on the port, or move one of the devices. If this is what you want to show, write \`expect peer\`.`,
  example: {
    bad: `${sampleHost(`root-port rp at 00:01.0 { acs SV, RR, CR, UF\n  switch sw at 01:00.0 {\n    port p0 at 02:00.0 { acs none\n      function a at 03:00.0 { class 0x030000  driver vfio-pci }\n    }\n    port p1 at 02:01.0 { acs none\n      function b at 04:00.0 { class 0x030000  bar 0 at 0xc000_0000 size 16MiB }\n    }\n  }\n}`)}dma a write 0xc000_0000 size 64
`,
    good: `${sampleHost(`root-port rp at 00:01.0 { acs SV, RR, CR, UF\n  switch sw at 01:00.0 {\n    port p0 at 02:00.0 { acs none\n      function a at 03:00.0 { class 0x030000  driver vfio-pci }\n    }\n    port p1 at 02:01.0 { acs none\n      function b at 04:00.0 { class 0x030000  bar 0 at 0xc000_0000 size 16MiB }\n    }\n  }\n}`)}dma a write 0xc000_0000 size 64 expect peer b
`,
  },
  *check(facts): Generator<Found> {
    const { report } = facts;
    for (const run of report.runs) {
      for (const action of run.actions) {
        if (action.kind !== 'dma' || !action.bypassedIommu || action.expectation !== undefined) continue;
        yield {
          subject: action.id,
          message: `This request reaches ${action.peer === undefined ? 'a peer' : facts.name(action.peer)} directly: no IOMMU sees it, no mapping can stop it.`,
          related: action.trace.flatMap((event) => (event.verdict === 'bypass' && event.subject !== undefined ? [{ subject: event.subject, message: event.text }] : [])),
          fixes: [{ title: 'Expect the peer-to-peer access', preferred: false, edits: [{ kind: 'replace', subject: action.id, text: `${action.text} expect peer` }] }],
        };
      }
    }
  },
};
